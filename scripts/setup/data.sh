#!/usr/bin/env bash
# Unpacks Debian's package of Fashion-MNIST (70,000 images, MIT) into .data/, without root. Where it cannot be had,
# the demo and the tests use the digits that scikit-learn ships.
set -euo pipefail

package=dataset-fashion-mnist
target=.data/fashion-mnist
mkdir -p .data
if [ -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ] || [ -f "$target/train-images-idx3-ubyte.gz" ]; then
  exit 0
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
fetch() { (cd "$work" && apt-get download -q "$package" >/dev/null 2>&1); }
if command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1; then
  echo "set-up: fetching Fashion-MNIST (30 MB)"
  # A new machine has no package lists yet; refreshing them needs root, and is tried only when the download fails.
  fetch || { apt-get update -q >/dev/null 2>&1 && fetch; } || true
fi
if ls "$work"/*.deb >/dev/null 2>&1; then
  dpkg-deb -x "$work"/*.deb "$work/unpacked"
  mkdir -p "$target"
  find "$work/unpacked" -name '*-ubyte.gz' -exec mv {} "$target/" \;
else
  echo "set-up: $package could not be fetched; scikit-learn's digits are used instead" >&2
fi
