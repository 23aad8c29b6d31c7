#!/bin/bash
# Rounds of hot backups with random loads, options, sinks and faults: soak.sh ROUNDS [mariabackup]
#
# A round is wrong if a backup that says it succeeded is not the source as it was at the recorded
# position, or if one that failed left a stream that passes for whole. A failure that nothing
# caused is counted apart. Every round's line says how it can be made again: SEED=n soak.sh 1.
# With mariabackup as the second word, that program makes the backups, for comparison.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/release/xbkit}
# shellcheck source=lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
rounds=${1:?how many rounds} by=${2:-xbkit}
have_servers || exit 77
scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbsoak.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP

declare -A count=([right]=0 [wrong]=0 [refused]=0 [failed]=0)
pick() { # pick WORD...: one of them
    echo "${@:$((RANDOM % $# + 1)):1}"
}

# The backup of round $dir through $sink, with $fault on the way; gives its status.
run_backup() {
    local stream=$dir/stream fifo=$dir/fifo status=0 sinker watch
    mkfifo "$fifo"
    case $sink in
    fast) cat <"$fifo" >"$stream" & ;;
    slow) pv -q -L 12m <"$fifo" >"$stream" & ;;
    stops) { head -c 3000000; sleep 2; cat; } <"$fifo" >"$stream" & ;;
    esac
    sinker=$!
    if [ "$by" = mariabackup ]; then
        timeout -k 5 90 mariabackup --no-defaults --backup --stream=mbstream --parallel=2 --socket="$dir/s/sock" \
            --user=root --datadir="$dir/s/data" >"$fifo" 2>"$dir/log" </dev/null &
    else
        timeout -k 5 90 "$XBKIT" backup -S "$dir/s/sock" -u root --tmpdir "$dir" --parallel=2 \
            ${throttle:+--throttle=$throttle} >"$fifo" 2>"$dir/log" </dev/null &
    fi
    backup=$!
    { # what the server is doing, if it takes long
        sleep 25
        timeout 5 mariadb --no-defaults --socket="$dir/s/sock" --user=root \
            --execute="SHOW FULL PROCESSLIST; SHOW ENGINE INNODB STATUS\G"
    } >"$dir/watch" 2>&1 </dev/null &
    watch=$!
    sleep "0.$((RANDOM % 9))"
    case $fault in
    none) ;;
    kill-server) server_kill "$dir/s" ;;
    kill-backup) pkill -9 -P "$backup" ;;
    kill-sink) pkill -9 -P "$sinker" 2>/dev/null; kill -9 "$sinker" 2>/dev/null ;;
    stop-backup) pkill -STOP -P "$backup"; sleep 3; pkill -CONT -P "$backup" ;;
    stop-server) kill -STOP "${SERVER_PIDS[$dir/s]}"; sleep 2; kill -CONT "${SERVER_PIDS[$dir/s]}" ;;
    esac
    wait $backup || status=$?
    wait $sinker 2>/dev/null
    kill $watch 2>/dev/null
    wait $watch 2>/dev/null
    return $status
}

restore() {
    if [ "$by" = mariabackup ]; then
        mkdir "$dir/c/data" && mbstream -x -C "$dir/c/data" <"$dir/stream" &&
            mariabackup --prepare --target-dir="$dir/c/data" >"$dir/prepare.log" 2>&1
    else
        "$XBKIT" restore --owner root --tmpdir "$dir" --datadir "$dir/c/data" "$dir/stream" >"$dir/prepare.log" 2>&1
    fi
}

one_round() { # sets outcome and why
    local status=0
    mkdir -p "$dir/c"
    ROUND_OPTIONS=(--innodb-buffer-pool-size=48M --innodb-log-file-size="$log_size")
    [ "$shape" = usual ] || ROUND_OPTIONS+=("$shape")
    # Tables of no use to pages of 64 KiB; mariabackup's own backups keep paths elsewhere.
    SCHEMA_EDIT=
    [[ $shape != *64k ]] || SCHEMA_EDIT="s/ROW_FORMAT=COMPRESSED//; s/PAGE_COMPRESSED=1//"
    [ "$by" != mariabackup ] || SCHEMA_EDIT+="; s/DATA DIRECTORY=.*;/;/"
    # shellcheck disable=SC2086
    SCHEMA_EDIT=$SCHEMA_EDIT source_under_load "$dir/s" $loads || { outcome=failed why="no source"; return; }
    run_backup || status=$?
    if [ -n "${SERVER_PIDS[$dir/s]:-}" ]; then
        sleep 0.3
        load_stop "$dir/s" 2>/dev/null || { outcome=failed why="a writer failed: $(cat "$dir"/s/load-*.log | tail -1)"; return; }
    else
        LOAD_PIDS=()
    fi
    if [ $status != 0 ]; then
        outcome=refused why=$(grep -v '^hint\|Streaming\|done$' "$dir/log" | tail -1 | cut -c1-150)
        [ "$fault" != none ] || outcome=failed
        if [ "$by" = xbkit ] && "$XBKIT" verify <"$dir/stream" >/dev/null 2>&1; then
            outcome=wrong why="it failed, and its stream passes for whole"
        fi
        return
    fi
    if [ "$by" = xbkit ] && ! "$XBKIT" verify <"$dir/stream" >/dev/null 2>&1; then
        outcome=wrong why="it succeeded, and its stream is not proven whole"
        return
    fi
    restore || { outcome=wrong why="restoring fails: $(tail -1 "$dir/prepare.log" | cut -c1-150)"; return; }
    [ -n "${SERVER_PIDS[$dir/s]:-}" ] || server_up "$dir/s" --log-bin="$dir/s/binlog/bin" --binlog-format=ROW \
        --server-id=1 || { outcome=failed why="the source does not come back"; return; }
    server_up "$dir/c" --skip-log-bin --server-id=2 2>"$dir/why" ||
        { outcome=wrong why="no server starts on the copy: $(tail -1 "$dir/why")"; return; }
    prove "$dir/s" "$dir/c" >"$dir/why" 2>&1 || { outcome=wrong why=$(tail -1 "$dir/why"); return; }
    outcome=right why=
}

seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
for ((round = 1; round <= rounds; round++, seed++)); do
    RANDOM=$((seed % 32768))
    shape=$(pick usual usual --innodb-page-size=4k --innodb-page-size=64k --innodb-flush-log-at-trx-commit=0 \
        --innodb-flush-log-at-trx-commit=2 --innodb-checksum-algorithm=crc32 --innodb-undo-tablespaces=3 --innodb-flush-method=fsync)
    loads=$(pick "w_bank w_many w_ddl" "w_bank w_many w_ddl" "w_bank w_many" "w_bank w_ddl")
    sink=$(pick fast fast slow stops)
    throttle=$(pick "" "" 15M)
    log_size=$(pick 8M 10M 10M 24M)
    fault=$(pick none none none none kill-server kill-backup kill-sink stop-backup stop-server)
    dir=$scratch/r$round outcome='' why=''
    one_round
    round_cleanup
    count[$outcome]=$((count[$outcome] + 1))
    echo "round $round SEED=$seed: $outcome | $shape, $loads, sink $sink${throttle:+, $throttle}, log $log_size, $fault${why:+ | $why}"
    case ${KEEP:+$outcome} in wrong | failed) rm -f "$dir/fifo" && cp -r "$dir" "$KEEP/" ;; esac
    rm -rf "$dir"
done
echo "$rounds rounds by $by: ${count[right]} right, ${count[refused]} ended in status 1 by a fault," \
    "${count[failed]} failed by themselves, ${count[wrong]} wrong"
[ "${count[wrong]}" = 0 ]
