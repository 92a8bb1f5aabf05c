#!/bin/bash
# Grafana with the dashboards as they are shipped, fed by this machine's Prometheus. Debian has none: it is its makers' package,
# from their repository. Whoever reaches it may look and nobody may change anything: there is no administrator.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
shipped=$(readlink -f "$here/../../exporters/grafana")
export DEBIAN_FRONTEND=noninteractive
apt-get install --quiet --quiet --yes --no-install-recommends ca-certificates curl >/dev/null
install -d -m 755 /etc/apt/keyrings
curl --fail --silent --show-error --location --max-time 60 --output /etc/apt/keyrings/grafana.asc https://apt.grafana.com/gpg-full.key
echo 'deb [signed-by=/etc/apt/keyrings/grafana.asc] https://apt.grafana.com stable main' >/etc/apt/sources.list.d/grafana.list
apt-get update --quiet --quiet
apt-get install --quiet --quiet --yes --no-install-recommends grafana >/dev/null

cat >/etc/grafana/provisioning/datasources/dualsrm.yml <<'SOURCE'
apiVersion: 1
datasources:
  - name: Prometheus
    type: prometheus
    access: proxy
    url: http://localhost:9090
    isDefault: true
    jsonData:
      timeInterval: 15s # the scrape job's
SOURCE
install -d /var/lib/grafana/dashboards/dualsrm
install -m 644 "$shipped"/dualsrm-*.json /var/lib/grafana/dashboards/dualsrm/
install -m 644 "$shipped/provisioning.example.yml" /etc/grafana/provisioning/dashboards/dualsrm.yml
mkdir -p /etc/systemd/system/grafana-server.service.d
cat >/etc/systemd/system/grafana-server.service.d/lab.conf <<'UNIT'
[Service]
Environment=GF_AUTH_ANONYMOUS_ENABLED=true
Environment=GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION=true
UNIT
systemctl daemon-reload
systemctl enable --quiet grafana-server.service
systemctl restart grafana-server.service
