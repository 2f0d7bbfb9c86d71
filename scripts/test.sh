#!/usr/bin/env bash
# Runs every check of the project, from a fresh clone on a Debian 12 machine onward; safe to repeat.
#   scripts/test.sh            all of it, as CI does (about 25 minutes on 2 cores the first time)
#   scripts/test.sh --quick    only the release build and its tests
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }
sources() { git ls-files '*.h' '*.cpp'; }

step "packages"
scripts/install_packages.sh --test
export ADDEND_CACHE=${ADDEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/addend}
# Tests that need the real model or the tokenizers of other projects skip when these cannot be fetched.
scripts/fetch_smollm2.sh >/dev/null || echo "no SmolLM2: its tests will be skipped"
scripts/fetch_tokenizers.sh >/dev/null || echo "no other tokenizers: their tests will be skipped"
scripts/fetch_playwright.sh >/dev/null || echo "no Playwright: the tests of pages in a browser will be skipped"
scripts/fetch_api_clients.sh >/dev/null || echo "no clients of the server: their tests will be skipped"

if [ "${1:-}" != --quick ]; then
  step "format and includes"
  sources | xargs clang-format-16 --dry-run --Werror
  scripts/check_includes.py
  scripts/page_policy.py --check
fi

step "release build"
cmake --preset release >/dev/null
cmake --build --preset release
step "release tests"
ctest --preset release -j "$(nproc)"
[ "${1:-}" != --quick ] || exit 0

step "a CPU without AVX, under emulation"
qemu-x86_64 -cpu Nehalem build/release/kernels_test --gtest_brief=1
env -u OPENBLAS_CORETYPE qemu-x86_64 -cpu Nehalem build/release/addend selftest | sed -n 1,2p

step "64-bit ARM: cross-compiled, under emulation"
if scripts/fetch_aarch64_sysroot.sh; then
  cmake --preset aarch64 >/dev/null
  cmake --build --preset aarch64
  for test in base tensor linalg kernels; do
    qemu-aarch64 -L build/aarch64-sysroot build/aarch64/${test}_test --gtest_brief=1
  done
  qemu-aarch64 -L build/aarch64-sysroot build/aarch64/addend selftest | sed -n 1,2p
else
  echo "no arm64 packages to be had: skipped"
fi

step "build with Clang and sanitizers"
cmake --preset sanitize >/dev/null
cmake --build --preset sanitize
step "tests with sanitizers"
ctest --preset sanitize -j "$(nproc)"

step "threads, with ThreadSanitizer"
cmake --preset tsan >/dev/null
cmake --build --preset tsan
for test in base generate; do build/tsan/${test}_test --gtest_brief=1; done

step "fuzz the parsers for a short while"
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz
for target in fuzz_gguf fuzz_safetensors fuzz_chat_template fuzz_api_request; do
  build/fuzz/tests/fuzz/$target -max_total_time=20 -max_len=4096 -print_final_stats=1 2>&1 | tail -n 8
done

step "end to end on SmolLM2"
scripts/check_smollm2.sh build/release/addend

step "all checks passed"
