#!/usr/bin/env bash
# From a fresh Debian 12 machine to a compressed language model that speaks: installs packages, builds, fetches
# SmolLM2-135M-Instruct, compresses it, evaluates original and result on text that neither calibration nor tuning has seen, and
# lets both go on with the same sentence. About 20 minutes on 2 cores; safe to repeat, and a repeat after a break goes on.
#   scripts/demo.sh                              the whole of it
#   scripts/demo.sh --model PATH --bits 1.0      another model (Hugging Face folder or GGUF file), another rate
set -euo pipefail
cd "$(dirname "$0")/.."
bits=2.0
model=
while [ $# -gt 0 ]; do
  case $1 in
    --model) model=$2; shift 2 ;;
    --bits) bits=$2; shift 2 ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
done
say() { printf '\n== %s\n' "$*"; }

say "packages"
scripts/install_packages.sh
say "build (a few minutes the first time)"
cmake --preset release -DADDEND_TESTS=OFF -DADDEND_BENCH=OFF >/dev/null
cmake --build --preset release --target addend
addend=build/release/addend

[ -n "$model" ] || model=$(scripts/fetch_smollm2.sh)
out=build/demo-$bits.gguf
text=$(scripts/demo_texts.sh)

say "compress to $bits bits per weight"
"$addend" compress "$model" -o "$out" --bits "$bits" --effort fast --calibration "$text"/calibration-*.txt

say "evaluate on text that it has not seen"
"$addend" eval "$out" --reference "$model" -f "$text/evaluation.txt" -n 16384

for file in "$model" "$out"; do
  say "$(basename "$file") goes on with a sentence"
  "$addend" run "$file" -p "The most important thing about water is" -n 60 --temp 0.6 --seed 7
done
