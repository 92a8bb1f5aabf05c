#!/bin/bash
# On each host of a running pair: what the storage guest and its clients need. Nothing is promoted or started.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
install -m 0644 "$here"/*.res /etc/drbd.d/
"$here/../volumes.sh" files-system:32m files-export:64m app1:32m app2:32m
for resource in files-system files-export app1 app2; do drbdadm up "$resource"; done
"$here/guests.sh"
