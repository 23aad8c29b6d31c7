#!/bin/bash
# Repeats the randomised tests and the demo until the time is over, or one of them fails:
# soak.sh SECONDS. Property tests draw new seeds each round; the demo draws its number of rows.
set -euo pipefail
cd "$(dirname "$0")/.."

end=$(($(date +%s) + ${1:?how many seconds})) # the last round is finished, so it takes longer
cargo=${CARGO:-cargo}
read -ra flags <<<"${CARGO_FLAGS:-}"
scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbkit-soak.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch PROPTEST_CASES=${PROPTEST_CASES:-2000}

round=0
while [ "$(date +%s)" -lt "$end" ]; do
    round=$((round + 1))
    export XBK_DEMO_ROWS=$((RANDOM * 10 + 1000))
    printf '\n=== round %d: PROPTEST_CASES=%s XBK_DEMO_ROWS=%s\n' $round "$PROPTEST_CASES" $XBK_DEMO_ROWS
    "$cargo" test "${flags[@]}" --release --workspace --all-targets </dev/null
    tests/demo/demo.sh </dev/null
    # What a run leaves behind would fill the disk of a machine that restores every night.
    left=$(find "$scratch" -mindepth 1 -maxdepth 1)
    [ -z "$left" ] || { echo "soak: round $round left behind: $left" >&2; exit 1; }
done
echo "=== $round rounds passed"
