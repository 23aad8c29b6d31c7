#!/bin/bash
# Fuzzes each target with one job: run.sh SECONDS [TARGET...]. Stable Rust is enough.
#
#   run.sh minimise [TARGET...]   puts what earlier runs found into tests/data/corpus, minimised
#
# New inputs are kept below target/corpus, so a later run goes on where this one stopped. An input
# that fails is left in target/artifacts; `target/.../TARGET FILE` tries it again, and a test of its
# own keeps it: add it to tests/data/corpus/TARGET, which `cargo test --test corpus` replays.
set -euo pipefail
cd "$(dirname "$0")"

what=${1:?SECONDS, or minimise}
shift
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for source in targets/*.rs; do targets+=("$(basename "$source" .rs)"); done
fi

# The coverage of libFuzzer, as its own compiler pass; build scripts are spared by --target.
# Without trace-compares: with it a run is half as fast and, given the dictionary, covers no more.
flags=(-Cpasses=sancov-module --cfg=fuzzing)
for option in level=4 inline-8bit-counters pc-table; do
    flags+=("-Cllvm-args=-sanitizer-coverage-$option")
done
host=$(rustc -vV | sed -n 's/^host: //p')
build=${CARGO_TARGET_DIR:-$PWD/target}
RUSTFLAGS="${flags[*]}" "${CARGO:-cargo}" build --release --target "$host" --target-dir "$build"

for target in "${targets[@]}"; do
    program=$build/$host/release/$target
    seeds=../data/corpus/$target
    found=$build/corpus/$target
    mkdir -p "$seeds" "$found" "$build/artifacts"
    common=(-max_len=4096 -timeout=10 -rss_limit_mb=1024 -artifact_prefix="$build/artifacts/$target-")
    if [ "$what" = minimise ]; then
        # By the code that is reached, not how often; of two inputs the one that is kept already.
        "$program" "${common[@]}" -use_counters=0 -merge=1 "$seeds" "$found"
        continue
    fi
    nice -n 19 "$program" "${common[@]}" -max_total_time=$((what / ${#targets[@]})) \
        -dict="$target.dict" -print_final_stats=1 "$found" "$seeds"
done
