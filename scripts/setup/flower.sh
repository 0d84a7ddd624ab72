#!/usr/bin/env bash
# Makes Flower's own virtual environment: flwr wants packaging>=24, and ape, in the development environment, wants less.
# Does nothing when nothing has changed. With --resolve it finds versions anew and writes constraints-flower.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv="${VENV_FLOWER:-.venv-flower}"
stamp="$venv/.installed"
wanted=(--editable '.[training,flower,postgres]' 'flwr[simulation]>=1.41,<2' 'pytest>=8.4,<9')

python="$(command -v "${PYTHON:-python3.11}" || command -v python3 || true)"
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))'; then
  echo "set-up: Python 3.11 is missing; install it, or name it: PYTHON=/path/to/python3.11" >&2
  exit 1
fi

install() { # environment, further arguments
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}" "${wanted[@]}" \
    2> >(grep -v 'is ignored: it is neither' >&2)
}

if [ "${1:-}" = --resolve ]; then
  work="$(mktemp -d)"
  trap 'rm -rf "$work"' EXIT
  "$python" -m venv "$work/venv"
  # The versions on which a model's bits depend are those of the development environment.
  grep -E '^(torch|numpy|numba|scikit-learn|safetensors)==' constraints.txt > "$work/same.txt"
  install "$work/venv" --constraint "$work/same.txt"
  {
    echo "# Exact versions of Flower's own environment; \`scripts/setup/flower.sh --resolve\` writes this file anew."
    # The local part (+cpu) names a build, not a version.
    "$work/venv/bin/python" -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$//' | sort -f
  } > constraints-flower.txt
  exit
fi

asked="$(sed -n '/^dependencies/,/^\[project.scripts\]/p' pyproject.toml)"
current="$(cat constraints-flower.txt "$0" - <<< "$asked" | sha256sum)"
if [ -x "$venv/bin/flower-superlink" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$current" ]; then
  exit
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "set-up: installing Flower's packages into $venv (a minute or two, once)"
install "$venv" --constraint constraints-flower.txt
echo "$current" > "$stamp"
