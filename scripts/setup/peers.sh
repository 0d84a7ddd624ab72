#!/usr/bin/env bash
# Makes the environments of the libraries that `make bench` compares with, one each, under .build/peers.
#
#   scripts/setup/peers.sh             all of them
#   scripts/setup/peers.sh byzfl       one
#
# Does nothing where nothing has changed. Says which could not be made, and exits with 1 then; the others are there.
set -uo pipefail
cd "$(dirname "$0")/../.."

home=.build/peers
torch=torch==2.13.0 # a plain `torch` may fetch gigabytes of CUDA that no benchmark here uses
numpy=numpy==2.4.6  # no older than what Flower's resolver takes: all peers run on the same one

# byzfl asks for torchvision, scipy and seaborn for its experiments, which are not run here: modules without content
# stand in for them. byzpy asks for torch < 2.6, but runs with the one that byzfl has, which is no slower.
declare -A wanted=(
  [byzfl]="byzfl==0.0.11"
  [byzpy]="byzpy==0.1.4"
  [flwr]="flwr==1.41.0"
)
declare -A beside=(
  [byzfl]="$torch $numpy scipy==1.17.1"
  [byzpy]="$torch $numpy cloudpickle==3.1.3"
  [flwr]="$numpy"
)
declare -A stubs=([byzfl]="torchvision matplotlib seaborn" [byzpy]="" [flwr]="")

python="$(command -v "${PYTHON:-python3.11}" || command -v python3 || true)"
if [ -z "$python" ]; then
  echo "peers: Python 3.11 is missing; install it, or name it: PYTHON=/path/to/python3.11" >&2
  exit 1
fi

make_peer() { # name
  local venv="$home/$1" stub site
  local pip=("$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check)
  local current="${wanted[$1]} ${beside[$1]} ${stubs[$1]}"
  [ "$(cat "$venv/.installed" 2>/dev/null)" = "$current" ] && return
  echo "peers: installing ${wanted[$1]} into $venv (a minute or two, once)" >&2
  rm -rf "$venv" && "$python" -m venv "$venv" || return
  # shellcheck disable=SC2086  # a list of words
  if [ "$1" = flwr ]; then
    "${pip[@]}" ${wanted[$1]} ${beside[$1]} || return
  else
    "${pip[@]}" ${beside[$1]} && "${pip[@]}" --no-deps ${wanted[$1]} || return
  fi
  site="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" || return
  for stub in ${stubs[$1]}; do
    # Whatever is imported from it is there and is nothing.
    mkdir -p "$site/$stub" && cat > "$site/$stub/__init__.py" <<'STUB' || return
"""Stands in for a package that the peer imports and that no benchmark uses."""
import sys
from types import ModuleType


class _Nothing(ModuleType):
    __path__: list = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return sys.modules.setdefault(f"{self.__name__}.{name}", _Nothing(f"{self.__name__}.{name}"))

    def __call__(self, *_args, **_kwargs):
        return self


sys.modules[__name__] = _Nothing(__name__)
for _name in ("transforms", "datasets", "pyplot", "font_manager"):
    getattr(sys.modules[__name__], _name)
STUB
  done
  "$venv/bin/python" -W ignore -c "import $1" || return
  echo "$current" > "$venv/.installed"
}

missing=()
for peer in "${@:-byzfl byzpy flwr}"; do
  for name in $peer; do
    if [ -z "${wanted[$name]:-}" ]; then
      echo "peers: $name is none of byzfl, byzpy, flwr" >&2
      exit 2
    fi
    make_peer "$name" || missing+=("${wanted[$name]}")
  done
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "peers: could not install ${missing[*]}; is there a network? The benchmark leaves them out." >&2
  exit 1
fi
