#!/bin/bash
# The manager, a third machine: dualsrm as docs/installing.md puts it there without Debian's packages, and the recorder that
# hears the guests, with `lab-score` to judge them. WHEEL is dualsrm as a wheel; keys and dualsrm.toml are there already.
set -euo pipefail
: "${WHEEL:?dualsrm as a wheel}"
here=$(dirname "$(readlink -f "$0")")
# shellcheck source-path=SCRIPTDIR source=facts.env
source "$here/facts.env"
vagrant=$(dirname "$here")
export DEBIAN_FRONTEND=noninteractive
# Debian's python3-libvirt, so that nothing has to be compiled; the environment sees it.
apt-get install --quiet --quiet --yes --no-install-recommends libnss-systemd openssh-client python3-bcrypt python3-h11 python3-libvirt \
    python3-prometheus-client python3-venv python3-yaml >/dev/null
"$here/exporter.sh"
/opt/dualsrm/bin/pip install --quiet "$WHEEL"
ln -sf /opt/dualsrm/bin/dualsrm /usr/local/bin/dualsrm

mkdir -p /var/lib/dualsrm-lab/score
cat >/etc/systemd/system/dualsrm-recorder.service <<UNIT
[Unit]
Description=Hears what the guests' writers were told is safe
Wants=network-online.target
After=network-online.target
[Service]
Environment=PYTHONPATH=$vagrant
ExecStart=/opt/dualsrm/bin/python -m score.recorder --listen $MANAGER:7100 --spool /var/lib/dualsrm-lab/score
Restart=on-failure
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --quiet --now dualsrm-recorder.service

guests=()
for definition in "$here"/guests/*.xml; do
    address=$(sed -n 's,.*score\.ip=\([0-9.]*\)/.*,\1,p' "$definition")
    guests+=(--guest "$(basename "$definition" .xml)=$address")
done
cat >/usr/local/bin/lab-score <<PROGRAM
#!/bin/sh
PYTHONPATH=$vagrant exec /opt/dualsrm/bin/python -m score score --spool /var/lib/dualsrm-lab/score ${guests[*]} "\$@"
PROGRAM
chmod 755 /usr/local/bin/lab-score
