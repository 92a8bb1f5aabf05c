#!/bin/bash
# Unpack the configuration disk (a bare tar), and show the repository at its own path so that dualsrm runs on a node too.
set -euo pipefail
tar --extract --file /dev/ubdc --directory / --no-same-owner
read -r repository </etc/dualsrm-lab/repository
mkdir -p "$repository"
# The kernel's hostfs= confines this mount to that one directory; read-only, so a node never changes the sources.
mount -t hostfs -o ro none "$repository"
