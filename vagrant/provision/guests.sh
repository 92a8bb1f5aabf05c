#!/bin/bash
# Define the guests, the same UUIDs on both hosts, none started at boot: the manager alone says where a guest runs.
# A host with KVM runs them under it, unless EMULATED says not to; else they are emulated, as their definitions say.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
for definition in "$here"/guests/*.xml; do
    if [[ -e /dev/kvm && -z ${EMULATED:-} ]]; then
        virsh --quiet define <(sed -e "s/^<domain type='qemu'/<domain type='kvm'/" -e '/<tcg>/d' "$definition")
    else
        virsh --quiet define "$definition"
    fi
done
