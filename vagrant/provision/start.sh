#!/bin/bash
# Start each guest where the lab has it at first. A guest that runs stays as it is.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
PYTHONPATH=$(dirname "$here") python3 -c '
from uml.facts import GUESTS
for guest in GUESTS:
    print(guest.name, guest.home)
' | while read -r guest home; do
    dualsrm start "$guest" --on "$home" </dev/null
done
