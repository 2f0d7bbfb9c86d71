#!/usr/bin/env bash
# Tokens per second of other programs beside ours, on one machine in one run. Builds nothing.
#
#   bench/peers.sh [--addend build/release/addend] [-t THREADS] [-p 512] [-n 128] [-r ROUNDS] \
#                  OUR.gguf... -- LLAMA_BENCH THEIR.gguf... [-- OTHER_LLAMA_BENCH FILE...]
#
# LLAMA_BENCH is the program `llama-bench` of llama.cpp or ik_llama.cpp. The programs take turns, ROUNDS times, so that what
# else the machine does meets all of them; a row is the median of its rounds. Ratios are to the first file.
set -euo pipefail
addend=build/release/addend threads=1 prompt=512 generate=128 rounds=3
while [ $# -gt 0 ]; do
  case $1 in
    --addend) addend=$2; shift 2 ;;
    -t) threads=$2; shift 2 ;;
    -p) prompt=$2; shift 2 ;;
    -n) generate=$2; shift 2 ;;
    -r) rounds=$2; shift 2 ;;
    -h|--help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit ;;
    -*) echo "peers.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo "peers.sh: no files (see --help)" >&2; exit 2; }

# One line for each of our and their measurements: program, file, test, tokens per second.
measure() {
  local program=$addend ours=true
  while [ $# -gt 0 ]; do
    if [ "$1" = -- ]; then
      program=${2:?peers.sh: a program is missing behind --} ours=false
      shift 2
      continue
    fi
    local output
    if $ours; then
      output=$("$program" bench "$1" -t "$threads" -p "$prompt" -n "$generate" -r 1 --json)
    else
      output=$("$program" -m "$1" -t "$threads" -p "$prompt" -n "$generate" -r 1 -o json)
    fi
    python3 -c '
import json, sys
program, file, ours = sys.argv[1:]
result = json.load(sys.stdin)
for row in result["tests"] if ours == "true" else result:
    if ours == "true":
        test, speed = row["test"], row["tokens_per_second"]
    else:
        test = "pp%d" % row["n_prompt"] if row["n_prompt"] > 0 else "tg%d" % row["n_gen"]
        speed = row["avg_ts"]
    print(program, file, test, speed, sep="\t")' "$program" "$1" "$ours" <<< "$output"
    shift
  done
}

for ((round = 1; round <= rounds; ++round)); do
  echo "round $round of $rounds" >&2
  measure "$@"
done | python3 -c '
import os, statistics, sys
speeds, tests = {}, []
for line in sys.stdin:
    program, file, test, speed = line.rstrip("\n").split("\t")
    speeds.setdefault((program, file), {}).setdefault(test, []).append(float(speed))
    if test not in tests:
        tests.append(test)
first = next(iter(speeds))
print("| program | file | MB |" + "".join(f" {test}, tokens/s | of the first |" for test in tests))
print("|---|---|---|" + "---|---|" * len(tests))
for (program, file), measured in speeds.items():
    row = f"| {os.path.basename(program)} | {os.path.basename(file)} | {os.path.getsize(file) / 1e6:.1f} |"
    for test in tests:
        median = statistics.median(measured[test])
        row += f" {median:.1f} | {median / statistics.median(speeds[first][test]):.2f} |"
    print(row)'
