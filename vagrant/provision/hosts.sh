#!/bin/bash
# Names for the pair's addresses: plain names are the management network, NAME-memory and NAME-replication the others.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
# shellcheck source-path=SCRIPTDIR source=facts.env
source "$here/facts.env"
cat >/etc/hosts <<HOSTS
127.0.0.1 localhost
$MANAGER manager
$ALPHA_MANAGEMENT alpha
$BETA_MANAGEMENT beta
$ALPHA_REPLICATION alpha-replication
$BETA_REPLICATION beta-replication
$ALPHA_MEMORY alpha-memory
$BETA_MEMORY beta-memory
HOSTS
