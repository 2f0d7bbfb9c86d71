#!/usr/bin/env bash
# Puts the clients that tests/serve/clients_test.py checks the server with (OpenAI's Python library and
# lm-evaluation-harness; 800 MB, for the latter wants SciPy, PyArrow and such) into a Python environment, and prints its folder.
exec "$(dirname "$0")"/python_environment.sh api_clients openai==3.54.0 'lm_eval[api]==0.4.13'
