#!/bin/bash
# Everything a host says of itself, libvirt apart, in one go. Arguments: NONCE SCOPE (drbd|disks|all|survey).
# Both output streams are cut into sections by lines only the asker can foresee:
#     NONCE begin NAME / the text / an added newline / NONCE end STATUS
# shellcheck disable=SC2317 # the functions are called through `section`
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
nonce=$1 scope=$2

section() {
    local name=$1 status
    shift
    printf '%s begin %s\n' "$nonce" "$name"
    printf '%s begin %s\n' "$nonce" "$name" >&2
    "$@"
    status=$?
    printf '\n%s end %s\n' "$nonce" "$status"
    printf '\n%s end %s\n' "$nonce" "$status" >&2
}

clock() {
    if [[ -n ${EPOCHREALTIME-} ]]; then printf '%s\n' "$EPOCHREALTIME"; else date +%s.%N; fi
}

text_of() {
    local -a lines
    mapfile lines <"$1" && printf '%s' "${lines[@]}"
}

available_memory() {
    local key value rest
    while read -r key value rest; do
        if [[ $key == MemAvailable: ]]; then
            printf '%s\n' "$value"
            return
        fi
    done </proc/meminfo
    return 1
}

interfaces() {
    local path
    for path in /sys/class/net/*; do
        [[ -e $path || -L $path ]] && printf '%s\n' "${path##*/}"
    done
    return 0
}

# The resources in DRBD's files, the fence-peer handler of each, and `runnable` where the handler's program is there.
# Nothing else of the dump leaves this function, nor what drbdadm says of files it cannot read: secrets are in both.
configured() {
    local - IFS=$'\n'
    local dump line program elsewhere=yes # the common section comes first; its handlers are repeated in each resource
    set -o noglob
    dump=$(drbdadm -v dump all 2>/dev/null) || return
    for line in $dump; do # split in memory: `read` and `mapfile` take a system call for each byte of a pipe
        case $line in
            '# resource '*': ignored, '*) elsewhere=yes ;; # not of this host
            '# resource '*) elsewhere= ;;
            'resource '*) [[ $elsewhere ]] || printf '%s\n' "$line" ;;
            ' '*' fence-peer '*';')
                [[ -z $elsewhere && $line =~ ^\ +fence-peer\ +(.*)\;$ ]] || continue
                printf 'fence-peer %s\n' "${BASH_REMATCH[1]}"
                program=${BASH_REMATCH[1]#\"}
                program=${program%%[\" ]*}
                [[ $program == /* && -f $program && -x $program ]] && printf 'runnable\n'
                ;;
        esac
    done
    return 0
}

# A unit's control group exists just as long as it has processes: no systemctl, no walk through all processes.
managers() {
    local unit root hook
    for unit in pacemaker drbd-reactor linstor-satellite pve-ha-lrm ganeti-noded vdsmd; do
        for root in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
            if [[ -d $root/system.slice/$unit.service ]]; then
                printf '%s\n' "$unit"
                break
            fi
        done
    done
    for hook in /etc/libvirt/hooks/qemu /etc/libvirt/hooks/qemu.d/*; do
        [[ -f $hook && -x $hook ]] && printf 'libvirt hook %s\n' "$hook"
    done
    return 0
}

# A line for each host in quarantine: the file's name, a tab, its text, which has one line unless it is torn.
quarantined() {
    local path
    for path in /var/lib/dualsrm/quarantine/*.json; do
        [[ -e $path ]] || continue
        printf '%s\t' "${path##*/}"
        text_of "$path"
        printf '\n'
    done
    return 0
}

bridges() {
    local path
    for path in /sys/class/net/*/bridge; do
        [[ -d $path ]] && path=${path%/bridge} && printf '%s\n' "${path##*/}"
    done
    return 0
}

# Where QEMU looks for certificates of memory traffic, then a line for each file that is not there (virQEMUDriverConfig).
# The one who sends shows its own only where the other side verifies it, which is so unless it is switched off.
certificates() {
    local directory=/etc/pki/qemu migrate='' line file verify=1 verify_migrate='' files=({ca-cert,server-cert,server-key}.pem)
    [[ -d /etc/pki/libvirt-migrate ]] && migrate=/etc/pki/libvirt-migrate
    if [[ -r /etc/libvirt/qemu.conf ]]; then
        while read -r line; do
            [[ $line =~ ^default_tls_x509_cert_dir\ *=\ *\"(/[^\"]*)\" ]] && directory=${BASH_REMATCH[1]}
            [[ $line =~ ^default_tls_x509_verify\ *=\ *([01]) ]] && verify=${BASH_REMATCH[1]}
            [[ $line =~ ^migrate_tls_x509_verify\ *=\ *([01]) ]] && verify_migrate=${BASH_REMATCH[1]}
            [[ $line =~ ^migrate_tls_x509_cert_dir\ *=\ *\"(/[^\"]*)\" ]] && migrate=${BASH_REMATCH[1]}
        done </etc/libvirt/qemu.conf
    fi
    directory=${migrate:-$directory}
    printf '%s\n' "$directory"
    [[ ${verify_migrate:-$verify} == 1 ]] && files+=({client-cert,client-key}.pem)
    for file in "${files[@]}"; do
        [[ -f $directory/$file ]] || printf '%s\n' "$file"
    done
    return 0
}

# What would be mounted at boot or when touched: fstab's lines, and the units that something wants.
boot() {
    local line path
    if [[ -r /etc/fstab ]]; then
        while IFS= read -r line || [[ $line ]]; do
            [[ $line && $line != '#'* ]] && printf 'fstab %s\n' "$line"
        done </etc/fstab
    fi
    for path in {/etc,/usr/local/lib,/usr/lib,/lib}/systemd/system/*.{wants,requires}/*.{mount,automount}; do
        [[ -e $path || -L $path ]] && printf 'unit %s\n' "${path##*/}"
    done
    return 0
}

# Read twice, so that the middle can be compared with the middle of the asker's wait.
section clock_start clock
# drbdsetup and drbdadm load the kernel module when it is absent. Looking must not change the host.
if [[ $scope == survey ]]; then
    section name uname -n
    section reached printf '%s\n' "${SSH_CONNECTION-}"
    section addresses ip -o address show up scope global
    section bridges bridges
    section complete true
    exit 0
fi
if [[ -e /proc/drbd ]]; then
    section proc_drbd text_of /proc/drbd
    section events2 drbdsetup events2 --now --statistics
    section show drbdsetup show
    [[ $scope != drbd && -d /dev/drbd ]] && section links find /dev/drbd -type l -printf '%p\t%l\n'
fi
[[ $scope == disks || $scope == all ]] && section mounts text_of /proc/self/mountinfo
if [[ $scope == all ]]; then
    if [[ -e /proc/drbd ]]; then
        section configured configured
        section helper text_of /sys/module/drbd/parameters/usermode_helper
        section adjust drbdadm -d adjust all
    fi
    section interfaces interfaces
    section memory available_memory
    section managers managers
    section boot boot
    section certificates certificates
    section quarantined quarantined
fi
section clock_end clock
section complete true
exit 0
