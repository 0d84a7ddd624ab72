#!/usr/bin/env bash
# Unpacks data sets that Debian packages into .data/, without root: Fashion-MNIST (70,000 images, MIT) and, from R's
# mlbench (GPL-2), the letters of UCI (20,000 rows of a table). Where they cannot be had, the demo and the tests use
# the digits that scikit-learn ships, or pass over what needs them.
set -euo pipefail

mkdir -p .data
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# unpack PACKAGE PATTERN TARGET WHAT: the package's files of that name into the folder TARGET.
unpack() {
  local package="$1" pattern="$2" target="$3" what="$4"
  fetch() { (cd "$work" && apt-get download -q "$package" >/dev/null 2>&1); }
  if command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1; then
    echo "set-up: fetching $what"
    # A new machine has no package lists yet; refreshing them needs root, and is tried only when the download fails.
    fetch || { apt-get update -q >/dev/null 2>&1 && fetch; } || true
  fi
  if ls "$work/$package"_*.deb >/dev/null 2>&1; then
    dpkg-deb -x "$work/$package"_*.deb "$work/$package"
    mkdir -p "$target"
    find "$work/$package" -name "$pattern" -exec mv {} "$target/" \;
  else
    echo "set-up: $package could not be fetched; $what will be missing" >&2
  fi
}

if [ ! -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ] &&
  [ ! -f .data/fashion-mnist/train-images-idx3-ubyte.gz ]; then
  unpack dataset-fashion-mnist '*-ubyte.gz' .data/fashion-mnist "Fashion-MNIST (30 MB)"
fi
if [ ! -f /usr/lib/R/site-library/mlbench/data/LetterRecognition.rda ] &&
  [ ! -f .data/letters/LetterRecognition.rda ]; then
  unpack r-cran-mlbench LetterRecognition.rda .data/letters "the letters (1 MB)"
fi
