#!/usr/bin/env bash
# Installs anvil, the EVM node, from the lock file. An anvil on PATH is used instead when there is one.
set -euo pipefail

mkdir -p node_modules
if command -v npm >/dev/null 2>&1; then
  echo "set-up: installing anvil"
  # Scripts are not run: the binary lies in the platform's own package.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
elif command -v anvil >/dev/null 2>&1; then
  echo "set-up: npm is missing; using $(command -v anvil)"
else
  echo "set-up: Node with npm is missing; install it (https://nodejs.org), or put an anvil 1.7 on PATH" >&2
  exit 1
fi
