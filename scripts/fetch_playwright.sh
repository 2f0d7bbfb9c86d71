#!/usr/bin/env bash
# Fetches what tests/browser drives Debian's Chromium with (Playwright, 160 MB; not its own browsers), and prints its folder.
set -euo pipefail
exec "$(dirname "$0")/python_environment.sh" playwright playwright==1.65.2
