#!/bin/bash
# Have libvirt probe its emulator now: the first start of a guest (or the first incoming migration) would wait for it.
set -euo pipefail
virsh --quiet domcapabilities --virttype qemu --machine pc-i440fx-7.2 >/dev/null
