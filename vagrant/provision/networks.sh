#!/bin/bash
# Addresses of one node: a bridge for management and guests, one plain interface each for replication and for memory.
# NODE is the node's name; INTERFACES (three names, in that order) default to the ones User-mode Linux makes.
set -euo pipefail
: "${NODE:?alpha or beta}"
read -r management replication memory <<<"${INTERFACES:-vec0 vec1 vec2}"
here=$(dirname "$(readlink -f "$0")")
# shellcheck source-path=SCRIPTDIR source=facts.env
source "$here/facts.env"
address() { local key="${NODE^^}_$1"; printf '%s' "${!key}"; }
# One process: under UML each fork is 100 ms. The MAC is pinned so that a guest's tap does not change the bridge's.
ip -batch - <<BATCH
link add br0 address 52:54:00:79:ff:${NODE:0:1}${NODE:0:1} type bridge forward_delay 0 mcast_snooping 0
link set $management master br0
link set lo up
link set $management up
link set $replication up
link set $memory up
link set br0 up
address add $(address MANAGEMENT)/24 dev br0
address add $(address REPLICATION)/24 dev $replication
address add $(address MEMORY)/24 dev $memory
BATCH
