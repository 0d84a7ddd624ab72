#!/usr/bin/env bash
# Resolves the development environment in a throw-away virtual environment and writes constraints.txt.
set -euo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$PYTHON" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
{
  echo "# Exact versions of everything that set-up installs; \`make constraints\` writes this file anew."
  # The local part (+cpu) names a build, not a version.
  "$work/venv/bin/python" -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$//' | sort -f
} > constraints.txt
