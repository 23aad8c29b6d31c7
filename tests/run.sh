#!/bin/bash
# Runs all tests and says at the end what passed, what was skipped and what failed.
#
# A script below tests/scripts exits 0, or 77 if a program it needs is missing; with
# XBK_REQUIRE_PEERS=1 that is a failure too. One failure does not stop the rest.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

cargo=${CARGO:-cargo}
read -ra flags <<<"${CARGO_FLAGS:-}"
passed=0 failed=() skipped=()

step() {
    local name=$1 begin=$(date +%s) status=0
    shift
    printf '\n=== %s: %s\n' "$name" "$*"
    "$@" </dev/null || status=$?
    local took="$(($(date +%s) - begin)) s"
    if [ $status = 0 ]; then
        echo "=== $name: passed in $took"
        passed=$((passed + 1))
    elif [ $status = 77 ] && [ "${XBK_REQUIRE_PEERS:-0}" != 1 ]; then
        echo "=== $name: SKIPPED"
        skipped+=("$name")
    else
        echo "=== $name: FAILED with status $status after $took"
        failed+=("$name")
    fi
}

# Not --all-targets: that builds the examples as test programs, and tests run them as programs.
step "unit, integration and doc tests" "$cargo" test "${flags[@]}" --workspace --no-fail-fast
for script in tests/scripts/*.sh; do
    step "$(basename "$script" .sh)" "$script"
done

printf '\n=== %d passed, %d skipped, %d failed\n' "$passed" ${#skipped[@]} ${#failed[@]}
[ ${#skipped[@]} = 0 ] || printf 'skipped: %s\n' "${skipped[@]}"
[ ${#failed[@]} = 0 ] || printf 'failed: %s\n' "${failed[@]}"
[ ${#failed[@]} = 0 ]
