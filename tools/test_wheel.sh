#!/usr/bin/env bash
# Builds the wheel, installs it alone into an empty environment with no Rust in sight, and runs the black-box tests on it.
#   tools/test_wheel.sh BIN      (the folder of the development environment's programs)
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
out=.build/wheel
rm -rf "$out"
"$bin/maturin" build --release -q -o "$out"
"$bin/python" -m venv "$out/env"
"$out/env/bin/python" -m pip install -q --disable-pip-version-check "$out"/*.whl
for installed in share/man/man1/agenttrace.1 share/bash-completion/completions/agenttrace; do
  [ -s "$out/env/$installed" ] || { echo "the wheel did not install $installed" >&2; exit 1; }
done
export AGENTTRACE_TEST_COMMAND=$PWD/$out/env/bin/agenttrace
for backend in native pure; do
  AGENTTRACE_BACKEND=$backend "$bin/python" -m pytest tests/cli
done
