#!/usr/bin/env bash
# Installs PostgreSQL's server, which the tests start for themselves. Where that cannot be done, they skip what needs it.
set -euo pipefail

if command -v initdb >/dev/null 2>&1 || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null; then
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "set-up: PostgreSQL is missing, and its tests will be skipped; install its server (apt install postgresql)" >&2
  exit 0
fi
echo "set-up: installing PostgreSQL"
# No cluster of the system's own: every test run makes one, and throws it away.
mkdir -p /etc/postgresql-common
grep -qs create_main_cluster /etc/postgresql-common/createcluster.conf ||
  echo "create_main_cluster = false" >>/etc/postgresql-common/createcluster.conf
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql >/dev/null ||
  echo "set-up: PostgreSQL could not be installed; its tests will be skipped" >&2
