#!/bin/bash
# The data disk: a volume group, one logical volume for each DRBD device, and DRBD metadata that declares both sides equal.
# DATA_DISK names the disk, new and all zeroes on both hosts: so equal is true, and no first sync is needed.
set -euo pipefail
: "${DATA_DISK:?the block device to use, for example /dev/ubdb}"

# What new-current-uuid --clear-bitmap leaves on a connected pair: one data generation, an empty bitmap, both up to date.
# DRBD marks everything out of sync when it first sees a device's size, so it attaches once, alone, before that.
declare_equal() {
    local name=$1 minor=$2
    drbdadm create-md --force "$name" >/dev/null
    drbdadm new-resource "$name"
    drbdadm new-minor "$name"
    drbdadm attach "$name"
    drbdadm new-current-uuid --clear-bitmap "$name/0"
    drbdadm down "$name"
    drbdmeta --force "$minor" v08 "/dev/guests/$name" internal set-gi "6475616C73726D${minor}0:0:0:0:1:1" >/dev/null
}

vgs --noheadings guests &>/dev/null || { pvcreate --quiet --yes "$DATA_DISK"; vgcreate --quiet guests "$DATA_DISK"; }
modprobe drbd
for name in web mail db-data db-log; do
    lvs --noheadings "guests/$name" &>/dev/null && continue
    lvcreate --quiet --yes --wipesignatures n --zero y --size 64m --name "$name" guests
    declare_equal "$name" "$(drbdadm sh-minor "$name")"
done
