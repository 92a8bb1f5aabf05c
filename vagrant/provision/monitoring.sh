#!/bin/bash
# Prometheus and Alertmanager on the manager, with the rules, the scrape job and the routes as they are shipped; and the
# exporters of both hosts and the manager, over TLS, for that Prometheus alone. Run on the manager, which may log in on the hosts.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
exporters=$(readlink -f "$here/../../exporters")
ours=/etc/prometheus/dualsrm
export DEBIAN_FRONTEND=noninteractive
apt-get install --quiet --quiet --yes --no-install-recommends openssl prometheus prometheus-alertmanager >/dev/null
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# NAME: $work/NAME.pem and $work/NAME.key, good for that name, from an authority that nobody has after this run.
certificate() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
    openssl x509 -req -days 3650 -in "$work/$1.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -out "$work/$1.pem" \
        -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$1") 2>/dev/null
}

# A command on that machine, which may be this one.
on() {
    if [[ $1 == "$(uname -n)" ]]; then
        "${@:2}"
    else
        ssh -o BatchMode=yes "$@"
    fi
}

# MACHINE [OPTION...]: its exporter serves by TLS, to Prometheus' certificate and password only.
serve() {
    local files=$work/files
    rm -rf "$files"
    mkdir -p "$files"/etc/{dualsrm,systemd/system/dualsrm-exporter.service.d}
    chmod 755 "$files"/etc/{,dualsrm,systemd,systemd/system,systemd/system/dualsrm-exporter.service.d}
    cp "$work/ca.pem" "$files/etc/dualsrm/ca.pem"
    cp "$work/$1.pem" "$files/etc/dualsrm/exporter.pem"
    cp "$work/$1.key" "$files/etc/dualsrm/exporter.key"
    cat >"$files/etc/dualsrm/web.yml" <<WEB
tls_server_config:
  cert_file: exporter.pem
  key_file: exporter.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus]
basic_auth_users:
  prometheus: $hash
WEB
    cat >"$files/etc/systemd/system/dualsrm-exporter.service.d/tls.conf" <<UNIT
[Service]
ExecStart=
ExecStart=/opt/dualsrm/bin/dualsrm-exporter --web.listen-address=:10184 --web.config.file=/etc/dualsrm/web.yml ${*:2}
UNIT
    tar --create --directory "$files" etc | on "$1" tar --extract --directory / --no-same-owner --no-overwrite-dir
    on "$1" systemctl daemon-reload
    on "$1" systemctl enable --quiet dualsrm-exporter.service
    on "$1" systemctl restart dualsrm-exporter.service
}

openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=dualsrm-lab -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl rand -hex 16 >"$work/password"
hash=$(python3 -c 'import bcrypt, sys; print(bcrypt.hashpw(sys.stdin.read().strip().encode(), bcrypt.gensalt(10)).decode())' <"$work/password")
for name in prometheus alpha beta manager; do
    certificate "$name"
done
serve alpha
serve beta
serve manager --no-guests

install -d -o root -g prometheus -m 750 "$ours"
install -o root -g prometheus -m 640 "$work"/{ca.pem,prometheus.pem,prometheus.key,password} "$ours"
sed 's/\.example\.org:/:/g' "$exporters/prometheus/scrape.example.yml" >/etc/prometheus/prometheus.yml
install -m 644 "$exporters/prometheus/dualsrm.rules.yml" /etc/prometheus/dualsrm.rules.yml
install -m 644 "$exporters/alertmanager/alertmanager.example.yml" /etc/prometheus/alertmanager.yml
chmod 644 /etc/prometheus/prometheus.yml
promtool check config /etc/prometheus/prometheus.yml
amtool check-config /etc/prometheus/alertmanager.yml
systemctl enable --quiet prometheus.service prometheus-alertmanager.service
systemctl restart prometheus.service prometheus-alertmanager.service

# The manager's look at the pair, every minute.
install -m 644 /opt/dualsrm/share/dualsrm/systemd/dualsrm-readiness.* /etc/systemd/system/
systemctl daemon-reload
systemctl enable --quiet --now dualsrm-readiness.timer
