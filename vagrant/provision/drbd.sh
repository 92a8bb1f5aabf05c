#!/bin/bash
# DRBD's configuration, the same on both hosts, and a unit that brings resources up after boot and never promotes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
install -m 0644 "$here/drbd/global_common.conf" /etc/drbd.d/global_common.conf
install -m 0644 "$here"/drbd/*.res /etc/drbd.d/
echo drbd >/etc/modules-load.d/dualsrm-drbd.conf
cat >/etc/systemd/system/dualsrm-drbd-up.service <<'UNIT'
[Unit]
Description=Bring DRBD resources up as Secondary
Wants=systemd-modules-load.service
After=systemd-modules-load.service dualsrm-volumes.service dualsrm-networks.service
Before=libvirtd.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/drbdadm up all
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --quiet dualsrm-drbd-up.service
systemctl mask --quiet drbd.service
