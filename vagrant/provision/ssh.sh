#!/bin/bash
# A cheap login for the manager, and one standing connection between the two hosts for libvirt's peer-to-peer control.
set -euo pipefail
# MaxSessions: the manager runs many commands over one connection. UsePAM, DNS, motd: a fork costs 100 ms under UML.
cat >/etc/ssh/sshd_config.d/dualsrm.conf <<'CONF'
HostKey /etc/ssh/ssh_host_ed25519_key
MaxSessions 64
MaxStartups 64:30:128
PasswordAuthentication no
PermitRootLogin prohibit-password
PrintLastLog no
PrintMotd no
UseDNS no
UsePAM no
CONF
# ControlPath is short because a socket's path may have 107 bytes. ServerAlive: a cut network must end the shared connection.
cat >/etc/ssh/ssh_config.d/dualsrm.conf <<'CONF'
Host alpha beta
    User root
    BatchMode yes
    ConnectTimeout 10
    ControlMaster auto
    ControlPath /run/ssh-%C
    ControlPersist 10m
    ServerAliveInterval 3
    ServerAliveCountMax 3
CONF
