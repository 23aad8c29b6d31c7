#!/bin/bash
# The bench runs and checks what was packed and extracted; its times mean nothing at this size.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=/dev/shm
[ -w $dir ] || dir=${TMPDIR:-/tmp}
tool=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
small=(--dir "$dir" --repeat 1 --large 2x4 --small 200x16)
PYTHONDONTWRITEBYTECODE=1 tests/bench/manifest.py --tool "$tool" "${small[@]}"
exec tests/bench/bench.py --tool "$tool" "${small[@]}"
