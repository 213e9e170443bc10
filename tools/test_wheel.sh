#!/usr/bin/env bash
# Builds the wheel, installs it alone into empty environments with no Rust in sight, and runs the black-box tests on it:
# on this Python with both backends, and on the oldest and a newer one where the machine has them.
#   tools/test_wheel.sh BIN      (the folder of the development environment's programs)
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$1
out=.build/wheel
rm -rf "$out"

# python_of VERSION: a Python of this version, from the path or from pyenv's folder; nothing if there is none.
python_of() {
  local python
  for python in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    # What looks like a Python may be a version manager's stand-in for one that isn't there.
    if "$python" -c '' 2>/dev/null; then echo "$python"; return; fi
  done
}

# What the oldest Python builds serves all later ones.
oldest=$(python_of 3.9)
"$bin/maturin" build --release -q -i "${oldest:-$bin/python}" -o "$out" >/dev/null

# make_environment NAME PYTHON: an environment with the wheel and what it asks for, nothing else.
make_environment() {
  "$2" -m venv "$out/$1"
  "$out/$1/bin/python" -m pip install -q --disable-pip-version-check "$out"/*.whl
  export AGENTTRACE_TEST_COMMAND=$PWD/$out/$1/bin/agenttrace
}

make_environment this "$bin/python"
for installed in share/man/man1/agenttrace.1 share/bash-completion/completions/agenttrace; do
  [ -s "$out/this/$installed" ] || { echo "the wheel did not install $installed" >&2; exit 1; }
done
AGENTTRACE_BACKEND=native "$bin/python" -m pytest tests/cli
# The pure backend reads .zst where a zstd package is there.
"$out/this/bin/python" -m pip install -q --disable-pip-version-check zstandard
AGENTTRACE_BACKEND=pure "$bin/python" -m pytest tests/cli

for version in 3.9 3.13; do
  python=$(python_of "$version")
  if [ -z "$python" ]; then
    echo "no Python $version here: the wheel was not tried on it"
    continue
  fi
  make_environment "python$version" "$python"
  "$bin/python" -m pytest tests/cli
done
