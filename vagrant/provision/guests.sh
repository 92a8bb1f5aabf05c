#!/bin/bash
# Define the guests, the same UUIDs on both hosts, none started at boot: the manager alone says where a guest runs.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
for definition in "$here"/guests/*.xml; do
    virsh --quiet define "$definition"
done
