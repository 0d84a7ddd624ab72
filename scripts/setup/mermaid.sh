#!/usr/bin/env bash
# Fetches Mermaid, which draws the diagrams of the documentation site, so that the site asks nobody else for it. Does
# nothing when it is there. Its package alone is fetched: the file is whole, and no other package is needed.
set -euo pipefail
cd "$(dirname "$0")/../.."

package=mermaid@11.12.0 # MIT
digest=93492e4d609be83653a41c435f4cbd7e74419f7fa6b4fc90a8c983195f64af82
target=.build/mermaid
[ "$(cat "$target/.version" 2>/dev/null)" = "$package" ] && exit 0

if ! command -v npm >/dev/null 2>&1; then
  echo "set-up: Node with npm is missing; install it (https://nodejs.org): the documentation's diagrams need $package" >&2
  exit 1
fi
echo "set-up: fetching $package (14 MB)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
archive="$work/$(npm pack "$package" --ignore-scripts --silent --pack-destination "$work")"
echo "$digest  $archive" | sha256sum --check --quiet
tar -xzf "$archive" -C "$work" package/dist/mermaid.min.js package/LICENSE
mkdir -p "$target"
mv "$work/package/dist/mermaid.min.js" "$work/package/LICENSE" "$target/"
echo "$package" > "$target/.version"
