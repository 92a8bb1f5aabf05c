#!/bin/bash
# What only a node under Vagrant has: Vagrant's way in, udev, names for its cards, dualsrm-host, the guests' kernel.
# INTERFACES has NAME=MAC for each card, in the order of networks.sh.
set -euo pipefail
: "${INTERFACES:?NAME=MAC of each card}"
here=$(dirname "$(readlink -f "$0")")
export DEBIAN_FRONTEND=noninteractive

# The box's user has no password. PAM lets such a user in with a key; without PAM sshd takes the account for locked. The
# first word on an option counts, so this file's name comes before dualsrm.conf.
echo 'UsePAM yes' >/etc/ssh/sshd_config.d/10-vagrant.conf

# lvm.sh does without udev, as the lab must. This file goes before the one it wrote.
cat >/etc/lvm/lvmlocal.conf <<'CONF'
activation {
	udev_sync = 1
	udev_rules = 1
}
CONF

# networks.sh at boot, when udev has named the cards.
install -D --target-directory /usr/local/lib/dualsrm-lab "$here/networks.sh" "$here/facts.env"
mkdir -p /etc/systemd/system/dualsrm-networks.service.d
{
    echo '[Unit]'
    for interface in $INTERFACES; do
        printf 'Wants=sys-subsystem-net-devices-%s.device\nAfter=sys-subsystem-net-devices-%s.device\n' \
            "${interface%%=*}" "${interface%%=*}"
        printf '[Match]\nMACAddress=%s\n[Link]\nName=%s\n' "${interface#*=}" "${interface%%=*}" \
            >"/etc/systemd/network/10-dualsrm-${interface%%=*}.link"
    done
    # shellcheck disable=SC2001 # of each word the part before the sign
    printf '[Service]\nEnvironment="INTERFACES=%s"\n' "$(sed 's/=[^ ]*//g' <<<"$INTERFACES")"
} >/etc/systemd/system/dualsrm-networks.service.d/vagrant.conf

ln -sf /opt/dualsrm/bin/dualsrm-host /usr/sbin/dualsrm-host
mapfile -t packages <"$here/../score/packages"
apt-get install --quiet --quiet --yes --no-install-recommends "${packages[@]}" >/dev/null
"$here/../score/build" /var/lib/dualsrm-lab-guest
