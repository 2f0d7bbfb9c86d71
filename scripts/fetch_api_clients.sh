#!/usr/bin/env bash
# Puts the clients that tests/serve/clients_test.py checks the server with (OpenAI's Python library and
# lm-evaluation-harness; 800 MB, for the latter wants SciPy, PyArrow and such) into a Python environment in the cache
# folder, and prints that folder. Does nothing when it is already there.
set -euo pipefail
packages=(openai==3.54.0 'lm_eval[api]==0.4.13')
folder=${ADDEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/addend}/api_clients
if [ "$(cat "$folder/packages.txt" 2>/dev/null)" != "${packages[*]}" ]; then
  echo "fetching ${packages[*]} into $folder" >&2
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" >&2
  echo "${packages[*]}" > "$folder/packages.txt"  # the sign that all is there
fi
echo "$folder"
