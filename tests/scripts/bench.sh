#!/bin/bash
# The bench runs and checks what was packed and extracted; its times mean nothing at this size.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=/dev/shm
[ -w $dir ] || dir=${TMPDIR:-/tmp}
tool=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
small=(--dir "$dir" --repeat 1 --large 2x4 --small 200x16)
PYTHONDONTWRITEBYTECODE=1 tests/bench/manifest.py --tool "$tool" "${small[@]}"
PYTHONDONTWRITEBYTECODE=1 tests/bench/codec_speed.py --tool "$tool" --dir "$dir" --repeat 1 --size 8 \
    --cases zstd-1,lz4-encode,lz4-decode,xbcrypt,restore
exec tests/bench/bench.py --tool "$tool" "${small[@]}"
