#!/bin/bash
# The data disk: a volume group, one logical volume for each DRBD device, and DRBD metadata that declares both sides equal.
# DATA_DISK names the disk, new and all zeroes on both hosts: so equal is true, and no first sync is needed.
# volumes.sh NAME:SIZE... makes these in the group that is there; they are filled with zeroes, for they may lie on used ground.
set -euo pipefail
wanted=("$@")
if [[ $# -eq 0 ]]; then
    : "${DATA_DISK:?the block device to use, for example /dev/ubdb}"
    wanted=(web:64m mail:64m db-data:64m db-log:64m)
fi

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
for each in "${wanted[@]}"; do
    name=${each%:*}
    lvs --noheadings "guests/$name" &>/dev/null && continue
    lvcreate --quiet --yes --wipesignatures n --zero y --size "${each#*:}" --name "$name" guests
    [[ $# -eq 0 ]] || blkdiscard --zeroout "/dev/guests/$name"
    declare_equal "$name" "$(drbdadm sh-minor "$name")"
done
