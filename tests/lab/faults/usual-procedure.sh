#!/bin/sh
# The usual way to move a running guest between two DRBD hosts, as people write it for themselves.
#   usual-procedure.sh GUEST SOURCE TARGET RESOURCE...        $SSH: how to log in, default "ssh"
# It is here to be compared with and to fail: it does not look at replication while memory is copied.
set -eu
guest=$1 source=$2 target=$3
shift 3
: "${SSH:=ssh}"
for resource in "$@"; do
	$SSH "$source" drbdadm net-options --allow-two-primaries=yes "$resource"
	$SSH "$target" drbdadm net-options --allow-two-primaries=yes "$resource"
done
$SSH "$target" drbdadm primary "$@"
$SSH "$source" virsh migrate --live --p2p --persistent "$guest" "qemu+ssh://$target/system" "tcp://$target-memory"
$SSH "$source" drbdadm secondary "$@"
for resource in "$@"; do
	$SSH "$source" drbdadm net-options --allow-two-primaries=no "$resource"
	$SSH "$target" drbdadm net-options --allow-two-primaries=no "$resource"
done
