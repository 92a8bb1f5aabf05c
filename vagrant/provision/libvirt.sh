#!/bin/bash
# libvirtd for a pair: reached over ssh only, always running, and QEMU started with as few extra processes as possible.
set -euo pipefail
# Disks are DRBD devices root owns, so no relabelling, no chown, no namespace with a copy of /dev. Each is a fork or a
# hundred system calls, dear under emulation; on real hosts these are the distribution's defaults to weigh anew.
cat >>/etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
seccomp_sandbox = 0
stdio_handler = "file"
migration_port_min = 49152
migration_port_max = 49215
CONF
cat >>/etc/libvirt/libvirtd.conf <<'CONF'
auth_unix_rw = "none"
CONF
echo 'LIBVIRTD_ARGS=""' >/etc/default/libvirtd
rm -f /etc/libvirt/qemu/networks/autostart/*.xml
systemctl enable --quiet libvirtd.service
systemctl mask --quiet libvirt-guests.service virtlogd.socket virtlogd-admin.socket virtlockd.socket virtlockd-admin.socket
