#!/usr/bin/env bash
# Puts Python packages of fixed versions into an environment of their own in the cache folder, and prints that folder. Does
# nothing when they are already there.
#   scripts/python_environment.sh NAME PACKAGE==VERSION...
set -euo pipefail
folder=${ADDEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/addend}/$1
shift
if [ "$(cat "$folder/packages.txt" 2>/dev/null)" != "$*" ]; then
  echo "fetching $* into $folder" >&2
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
  echo "$*" > "$folder/packages.txt"  # the sign that all is there
fi
echo "$folder"
