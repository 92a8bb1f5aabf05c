#!/bin/bash
# dualsrm of this checkout as a wheel, in WHEELS, for machines that take it without Debian's packages: docs/installing.md.
set -euo pipefail
: "${WHEELS:?a directory for the wheel}"
here=$(dirname "$(readlink -f "$0")")
export DEBIAN_FRONTEND=noninteractive
apt-get install --quiet --quiet --yes --no-install-recommends python3-venv >/dev/null
rm -rf "$WHEELS"
python3 -m venv "$WHEELS/builder"
"$WHEELS/builder/bin/pip" wheel --quiet --no-deps --wheel-dir "$WHEELS" "$here/../.."
rm -rf "$WHEELS/builder"
