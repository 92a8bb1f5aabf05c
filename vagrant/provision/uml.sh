#!/bin/bash
# What only a User-mode Linux node has: its configuration disk, and a short list of units.
# Each fork costs 100 ms there, so everything a lab does not use is masked (45 s to 15 s of boot on a loaded machine).
set -euo pipefail
: >/etc/fstab
systemd-machine-id-setup >/dev/null
mkdir -p /etc/dualsrm /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' >/etc/systemd/journald.conf.d/dualsrm.conf
printf 'export LC_ALL=C.UTF-8\n' >/etc/profile.d/dualsrm.sh

cat >/etc/systemd/system/dualsrm-config.service <<'UNIT'
[Unit]
Description=Unpack this lab's keys and settings from the configuration disk
DefaultDependencies=no
# It empties /tmp at boot, where the repository may be and its mount point is made.
After=systemd-tmpfiles-setup.service
Before=ssh.service dualsrm-networks.service
ConditionKernelCommandLine=!lab.seal
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/dualsrm-lab/uml-config.sh
[Install]
WantedBy=multi-user.target
UNIT
cat >/etc/systemd/system/dualsrm-seal.service <<'UNIT'
[Unit]
Description=Finish the image once, inside the real kernel, then power off
After=libvirtd.service
ConditionKernelCommandLine=lab.seal
[Service]
Type=oneshot
ExecStart=/usr/local/lib/dualsrm-lab/uml-seal.sh
ExecStopPost=/usr/bin/systemctl poweroff --no-block
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
UNIT
for unit in dualsrm-networks dualsrm-drbd-up dualsrm-volumes; do
    mkdir -p /etc/systemd/system/$unit.service.d
    printf '[Unit]\nConditionKernelCommandLine=!lab.seal\n' >/etc/systemd/system/$unit.service.d/seal.conf
done
printf 'bridge\ntun\ndm-mod\ndm-snapshot\ndrbd\n' >/etc/modules-load.d/dualsrm-uml.conf

# This kernel has no nf_tables for IPv4; libvirt wants a packet filter for a network of its own.
update-alternatives --quiet --set iptables /usr/sbin/iptables-legacy

systemctl enable --quiet dualsrm-config.service dualsrm-seal.service
systemctl disable --quiet e2scrub_reap.service remote-fs.target machines.target
systemctl mask --quiet systemd-udev-trigger.service systemd-random-seed.service systemd-journal-flush.service \
    systemd-sysusers.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-remount-fs.service \
    systemd-binfmt.service systemd-firstboot.service systemd-machine-id-commit.service systemd-pcrphase.service \
    systemd-pcrphase-sysinit.service systemd-repart.service systemd-pstore.service systemd-logind.service \
    systemd-user-sessions.service systemd-sysctl.service systemd-udev-settle.service proc-sys-fs-binfmt_misc.automount \
    dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount getty.target getty@tty1.service \
    console-getty.service serial-getty@.service e2scrub_all.timer apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer fstrim.timer logrotate.timer systemd-tmpfiles-clean.timer kmod-static-nodes.service \
    systemd-ask-password-console.path systemd-ask-password-wall.path user@.service systemd-quotacheck.service \
    systemd-networkd.service modprobe@.service systemd-initctl.socket
