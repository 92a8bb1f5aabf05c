#!/bin/bash
# Done once per image, under the kernel the nodes run: what a first boot would otherwise pay on every `up`.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
export HOME=/root
DATA_DISK=/dev/ubdb "$here/volumes.sh"
"$here/guests.sh"
"$here/capabilities.sh"
sync
echo 'lab: image sealed'
