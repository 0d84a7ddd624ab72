#!/usr/bin/env bash
# Installs what tests drive for real and no package index has: a PostgreSQL server, a terminal, a browser. It needs root;
# without it, or without apt, the tests that need one of them skip and say so.
set -euo pipefail

missing=()
command -v initdb >/dev/null 2>&1 || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || missing+=(postgresql)
command -v tmux >/dev/null 2>&1 || missing+=(tmux)
command -v chromium >/dev/null 2>&1 || missing+=(chromium)
[ "${#missing[@]}" -gt 0 ] || exit 0

# A machine of one's own is left as it is, unless one asks for it.
if [ "$(id -u)" != 0 ] || [ -z "${CI:-}${FEDBLOCKS_SYSTEM_PACKAGES:-}" ] || ! command -v apt-get >/dev/null 2>&1; then
  echo "set-up: ${missing[*]} not found; tests that need them will be skipped" \
    "(apt install ${missing[*]}, or CI=1 make setup as root)" >&2
  exit 0
fi
echo "set-up: installing ${missing[*]}"
# No cluster of the system's own: every test run makes one, and throws it away.
mkdir -p /etc/postgresql-common
grep -qs create_main_cluster /etc/postgresql-common/createcluster.conf ||
  echo "create_main_cluster = false" >>/etc/postgresql-common/createcluster.conf
install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1; }
# A new machine has no package lists yet.
install || { apt-get update -q >/dev/null 2>&1 && install; } ||
  echo "set-up: ${missing[*]} could not be installed; tests that need them will be skipped" >&2
