#!/bin/bash
# Install what a node needs. The image builder reads the same list, so the two cannot drift apart.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
mapfile -t packages < <(grep -Ev '^(#|$)' "$here/packages.list")
export DEBIAN_FRONTEND=noninteractive
apt-get install --quiet --yes --no-install-recommends "${packages[@]}"
