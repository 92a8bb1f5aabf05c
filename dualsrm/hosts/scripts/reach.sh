#!/bin/sh
# Ask the peer's libvirtd from here, if a guest's QEMU is here. Arguments: GUEST URI. Exit 97: it is not.
# libvirt leaves its pid there as long as the guest is active.
PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
[ -e "/run/libvirt/qemu/$1.pid" ] || exit 97
exec virsh -q -c "$2" hostname
