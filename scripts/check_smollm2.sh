#!/usr/bin/env bash
# The whole product on the real model, with as little work as shows that it holds together:
#   scripts/check_smollm2.sh path/to/addend
set -euo pipefail
addend=$1
here=$(cd "$(dirname "$0")" && pwd)
model=$("$here"/fetch_smollm2.sh) || { echo "SmolLM2 is not here and cannot be fetched: skipped"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$addend" selftest
# Enough English for a few sequences; what it says does not matter here.
seen=$work/seen.txt unseen=$work/unseen.txt
cat /usr/share/common-licenses/{GPL-3,LGPL-3} >"$seen"
cat /usr/share/common-licenses/{Apache-2.0,MPL-2.0} >"$unseen"
"$addend" compress "$model" -o "$work/small.gguf" --bits 0.5 --effort fast --calibration "$seen" \
  --calibration-sequences 4 --calibration-length 128 --distill-steps 3
"$addend" inspect "$work/small.gguf"
"$addend" eval "$work/small.gguf" -f "$unseen" -n 2048 --reference "$model"
"$addend" run "$work/small.gguf" -p "The meaning of life is" -n 16 --temp 0
"$addend" run "$model" -p "Gravity is" -n 33 --temp 0 | grep -F "a fundamental concept in physics that describes the"

# Perplexity as transformers has it (float32, the same windows).
text=$here/../../shared/data/wikitext2-raw-test.txt
if [ -e "$text" ]; then
  "$addend" eval "$model" -f "$text" -n 32768 --json --quiet | python3 -c '
import json, sys
scores = json.load(sys.stdin)["perplexity"]
for protocol, golden in (("hf", 29.93724), ("llama.cpp", 23.66472)):
    found = scores[protocol]["perplexity"]
    print(f"perplexity ({protocol}): {found:.4f}, transformers has {golden}")
    assert abs(found / golden - 1) < 1e-4'
else
  echo "no evaluation text: perplexity is not compared"
fi
