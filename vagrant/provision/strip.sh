#!/bin/bash
# Remove from an image what a lab node never opens: other architectures' firmware, translations, caches, clouds'
# libraries that fence-agents brings. Images only.
set -euo pipefail
cd /
rm -rf boot/* usr/lib/firmware usr/share/{doc,man,locale,info,lintian,bug,icons,zoneinfo/right} var/cache/apt/* var/lib/apt/lists/* \
    usr/share/ovmf usr/share/OVMF usr/lib/ipxe usr/bin/qemu-system-{i386,x86_64-microvm} usr/bin/qemu-{io,nbd,storage-daemon} \
    usr/lib/python3/dist-packages/{botocore,boto3,s3transfer,sqlalchemy,googleapiclient}
find usr/share/qemu -maxdepth 1 -type f ! -name 'kvmvapic.bin' ! -name 'linuxboot*.bin' -delete
find usr/share/seabios -type f ! -name 'bios-256k.bin' -delete
