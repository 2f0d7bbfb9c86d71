#!/usr/bin/env bash
# clang-tidy over the sources of a build folder:  scripts/tidy.sh BUILD_FOLDER [FILE...]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
shift
if [ $# -eq 0 ]; then
  mapfile -t files < <(git ls-files 'src/*.cpp' | grep -v _test.cpp)
else
  files=("$@")
fi
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy-16 -p "$build" --quiet
