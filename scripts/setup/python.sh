#!/usr/bin/env bash
# Makes the virtual environment and installs the exact versions of constraints.txt into it.
set -euo pipefail

python="$(command -v "$PYTHON" || command -v python3 || true)"
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))'; then
  echo "set-up: Python 3.11 is missing; install it, or name it: make PYTHON=/path/to/python3.11" >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  echo "set-up: this Python has no venv module; install it (Debian: python3.11-venv)" >&2
  exit 1
fi
[ -x "$VENV/bin/python" ] || "$python" -m venv "$VENV"
echo "set-up: installing the Python packages (a minute or two, once)"
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint constraints.txt --editable '.[dev]' 2> >(grep -v 'is ignored: it is neither' >&2)
