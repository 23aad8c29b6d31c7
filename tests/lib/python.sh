#!/bin/bash
# Makes .venv with the tools that the Python module is tested with, and puts the module into it.
#
# Only a first run, or one after the list of tools changed, needs the network.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=$PWD/.venv
list=bindings/python/requirements-test.txt

# A Python of the user's own may be too old, or lack what Debian packs apart.
usable() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}
if ! cmp -s "$list" "$venv/$(basename "$list")"; then
    for python in "${PYTHON:-python3}" /usr/bin/python3; do
        ! usable "$python" || break
    done
    if ! usable "$python"; then
        echo "python.sh: no Python of 3.11 or newer with the module venv; name one by PYTHON=..." >&2
        exit 1
    fi
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$list"
    cp "$list" "$venv/"
fi
# As cargo's other tests: built for debugging, of what is built already where it fits.
VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH \
    maturin develop --quiet --locked --manifest-path bindings/python/Cargo.toml
