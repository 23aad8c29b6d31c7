#!/bin/bash
# The Python module: its tests, its types, and its stubs against what they describe.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$PWD/.venv
[ -x "$venv/bin/pytest" ] || {
    echo "python: no .venv; 'make test-deps' makes it" >&2
    exit 77
}
export PYTHONDONTWRITEBYTECODE=1
examples=$PWD/examples/python
cd bindings/python
"$venv/bin/pytest" -q -p no:cacheprovider
"$venv/bin/mypy" --cache-dir=/dev/null python/xbkit "$examples"
"$venv/bin/python" -W ignore::RuntimeWarning -m mypy.stubtest xbkit._xbkit
# Nothing but the entry point may be visible to the process that loads the module.
exports=$(nm -D --defined-only python/xbkit/_xbkit.abi3.so | awk '{ print $3 }')
[ "$exports" = PyInit__xbkit ] || {
    echo "python: the module exports '$exports'" >&2
    exit 1
}
