#!/bin/bash
# A unit that gives a node its addresses at every boot, before anything that needs them: networks.sh.
set -euo pipefail
cat >/etc/systemd/system/dualsrm-networks.service <<'UNIT'
[Unit]
Description=Addresses of this node
DefaultDependencies=no
Wants=systemd-modules-load.service
After=systemd-modules-load.service
Before=ssh.service dualsrm-drbd-up.service
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=NODE=%H
ExecStart=/usr/local/lib/dualsrm-lab/networks.sh
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --quiet dualsrm-networks.service
