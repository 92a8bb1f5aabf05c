#!/bin/bash
# dualsrm-exporter as docs/exporter.md installs it: an environment that sees Debian's libraries, and the unit, not started.
# WHEEL is dualsrm as a wheel. Without one, in the lab's image, the program is the lab's own checkout and the unit comes with
# the configuration disk, so that neither needs a new image when it changes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
if [[ ${WHEEL:-} ]]; then
    python3 -m venv --system-site-packages /opt/dualsrm
    /opt/dualsrm/bin/pip install --quiet --no-deps --no-index "$WHEEL"
    install -m 0644 "$here/../../exporters/systemd/dualsrm-exporter.service" /etc/systemd/system/
    systemctl daemon-reload
    exit
fi
python3 -m venv --system-site-packages --without-pip /opt/dualsrm
mkdir /opt/dualsrm/checkout
printf '%s\n' /opt/dualsrm/checkout /opt/dualsrm/checkout/exporters >"$(echo /opt/dualsrm/lib/python3*/site-packages)/dualsrm.pth"
# What pip would have written.
cat >/opt/dualsrm/bin/dualsrm-exporter <<'PROGRAM'
#!/opt/dualsrm/bin/python3
import sys
from dualsrm_exporter.main import main
sys.exit(main())
PROGRAM
chmod 755 /opt/dualsrm/bin/dualsrm-exporter
