#!/bin/bash
# Links libxbkit.so from libxbkit.a: link.sh [--unstripped] ARCHIVE OUTPUT
#
# rustc's own shared library has no symbol versions: it passes a version script of its own, beside
# which ld refuses ours and lld silently ignores it. So the archive, which is the same code, is
# linked by cc: whatever libxbkit.map names is pulled in and exported, all else is local.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

strip=(-Wl,--strip-all)
if [ "${1:-}" = --unstripped ]; then
    strip=()
    shift
fi
if [ $# != 2 ]; then
    echo "usage: link.sh [--unstripped] ARCHIVE OUTPUT" >&2
    exit 1
fi
archive=$1 output=$2

wanted=()
while read -r symbol _; do
    case $symbol in
    '#'* | '') ;;
    *) wanted+=("-Wl,-u,$symbol") ;;
    esac
done <"$here/symbols.txt"

# What the archive needs of the system: `rustc --print native-static-libs`, held by a test.
read -ra libs <"$here/native-libs.txt"
exec "${CC:-cc}" -shared -o "$output" "${wanted[@]}" "$archive" \
    -Wl,-soname,libxbkit.so.0 \
    -Wl,--version-script="$here/libxbkit.map" \
    -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,--as-needed \
    "${strip[@]}" "${libs[@]}"
