#!/bin/bash
# Rounds of hot backups with random loads, options, sinks and faults: soak.sh ROUNDS [mariabackup]
#
# A round is wrong if a backup that says it succeeded is not the source as it was at the recorded
# position, or if one that failed left a stream that passes for whole. A failure that nothing
# caused is counted apart. Every round's line says how it can be made again: SEED=n soak.sh 1.
# With mariabackup as the second word, that program makes the backups, for comparison.
#
# KEEP=DIR keeps what rounds that went wrong or failed leave.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/release/xbkit}
# shellcheck source=lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
rounds=${1:?how many rounds} by=${2:-xbkit}
have_servers || exit 77
for program in pv python3 mbstream mariabackup; do
    command -v $program >/dev/null || { echo "soak: $program is not installed" >&2; exit 77; }
done
scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbsoak.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP

declare -A count=([right]=0 [wrong]=0 [refused]=0 [failed]=0)
all_laps=()
# pick NAME WORD...: sets NAME to one of the words. In a subshell, RANDOM would have a seed of its own.
pick() {
    local at=$((RANDOM % ($# - 1) + 2))
    printf -v "$1" %s "${!at}"
}

# An installation for each shape, as making one takes longer than a backup.
source_init() {
    local template=$scratch/template-$shape
    if [ ! -d "$template" ]; then
        mkdir "$template"
        # shellcheck disable=SC2046
        TMPDIR=$template mariadb-install-db --no-defaults --datadir="$template/data" \
            --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve $(as_user) \
            "${ROUND_OPTIONS[@]}" >"$template/log" 2>&1 || { tail -20 "$template/log" >&2; return 1; }
    fi
    mkdir -p "$1"
    cp -a "$template/data" "$1/data"
}

# A table that nobody writes to, with its pages on disk: some of them will be torn there, while the
# server has no reason to look at or to write them.
make_still() {
    local deadline=$((SECONDS + 20))
    sql "$dir/s" "CREATE TABLE load_t.still (id INT PRIMARY KEY, t VARCHAR(900)) ENGINE=InnoDB;
        INSERT INTO load_t.still SELECT seq, REPEAT(MD5(seq), 25) FROM load_t.seq_1_to_3000" load_t || return 1
    until [ "$(sql "$dir/s" "SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'")" -lt 50 ] ||
        [ $SECONDS -gt $deadline ]; do sleep 0.1; done
    sql "$dir/s" "FLUSH TABLES load_t.still FOR EXPORT; UNLOCK TABLES"
}

# tear [for good]: tears pages of that table until there is a file $dir/whole: the second half of
# each is zeros for a few milliseconds, or all the time.
tear() {
    python3 - "$dir/s/data/load_t/still.ibd" "$dir/whole" "$dir/torn" "$page_size" "$1" <<'PYTHON'
import os, sys, time
path, stop, torn, size, mode = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]
fd = os.open(path, os.O_RDWR)
pages = os.fstat(fd).st_size // size
places = [n for n in range(3, pages) if any(os.pread(fd, size // 2, n * size + size // 2))]
def put(n, half):
    os.pwrite(fd, half, n * size + size // 2)
while not os.path.exists(stop):
    for n in places[:: max(1, len(places) // 12)]:
        whole = os.pread(fd, size // 2, n * size + size // 2)
        put(n, bytes(size // 2))
        open(torn, "w").close()
        until = time.time() + 0.004
        while time.time() < until or (mode == "stays" and not os.path.exists(stop)):
            time.sleep(0.002)
        # The server has not written it meanwhile.
        if not any(os.pread(fd, size // 2, n * size + size // 2)):
            put(n, whole)
        if os.path.exists(stop):
            break
os.fsync(fd)
PYTHON
}

# Beside a backup: keeps what the server is doing, if locks are held for long or everything takes
# long; and ends the load soon after the locks went. What is written behind the position need not be
# much, and all of it is replayed.
watch() {
    local held=0
    for _ in {1..100}; do
        sleep 1
        if grep -q '^xbkit: locks released' "$dir/log"; then
            sql "$dir/s" 'SET sql_log_bin = 0; UPDATE load_t.ctl SET go = 0' 2>/dev/null
            return
        fi
        ! grep -q '^xbkit: DDL during' "$dir/log" || held=$((held + 1))
        [ $held -lt 8 ] || break
    done
    timeout 5 mariadb --no-defaults --socket="$dir/s/sock" --user=root \
        --execute="SHOW FULL PROCESSLIST; SHOW ENGINE INNODB STATUS\G"
    ! command -v gdb >/dev/null || timeout 20 gdb -p "${SERVER_PIDS[$dir/s]}" -batch -ex "thread apply all bt 12"
} >"$dir/watch" 2>&1 </dev/null

# The backup of round $dir through $sink, with $fault on the way; gives its status.
run_backup() {
    local stream=$dir/stream fifo=$dir/fifo status=0 sinker watch tearer=
    mkfifo "$fifo"
    case $sink in
    fast) cat <"$fifo" >"$stream" & ;;
    slow) pv -q -L "$rate" <"$fifo" >"$stream" & ;;
    esac
    sinker=$!
    case $fault in
    tear | tear-stays)
        tear "${fault#tear-}" &
        tearer=$!
        until [ -e "$dir/torn" ] || ! kill -0 "$tearer" 2>/dev/null; do sleep 0.01; done
        ;;
    esac
    if [ "$by" = mariabackup ]; then
        timeout -k 5 120 mariabackup --no-defaults --backup --stream=mbstream --parallel=2 --socket="$dir/s/sock" \
            --user=root --datadir="$dir/s/data" >"$fifo" 2>"$dir/log" </dev/null &
    else
        timeout -k 5 120 "$XBKIT" backup -S "$dir/s/sock" -u root --tmpdir "$dir" --parallel=2 \
            ${throttle:+--throttle=$throttle} >"$fifo" 2>"$dir/log" </dev/null &
    fi
    backup=$!
    watch &
    watch=$!
    sleep "$when"
    # Whether the fault came in time.
    struck=
    ! kill -0 "$backup" 2>/dev/null || struck=1
    case $fault in
    none | tear*) ;;
    kill-server) server_kill "$dir/s" ;;
    kill-backup) pkill -9 -P "$backup" ;;
    kill-sink) kill -9 "$sinker" 2>/dev/null ;;
    stop-sink) kill -STOP "$sinker" 2>/dev/null && sleep 4 && kill -CONT "$sinker" ;;
    stop-backup) pkill -STOP -P "$backup"; sleep 3; pkill -CONT -P "$backup" ;;
    stop-server) kill -STOP "${SERVER_PIDS[$dir/s]}"; sleep 2; kill -CONT "${SERVER_PIDS[$dir/s]}" ;;
    esac
    wait $backup || status=$?
    : >"$dir/whole"
    [ -z "$tearer" ] || wait "$tearer"
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

# Whether nothing shows that the stream of a backup that failed is not whole.
passes() {
    if [ "$by" = xbkit ]; then
        "$XBKIT" verify <"$dir/stream" >/dev/null 2>&1
    else
        mkdir "$dir/passes" && mbstream -x -C "$dir/passes" <"$dir/stream" >/dev/null 2>&1
    fi
}

# refuse STATUS: what a backup that failed leaves.
refuse() {
    outcome=refused why=$(grep -v '^hint\|Streaming\|done$' "$dir/log" | tail -1 | cut -c1-160)
    [ "$1" != 124 ] || why="no end after 120 s: $why"
    [[ $fault != none && $fault != tear ]] || outcome=failed
    [[ $fault == tear* || -n $struck ]] || outcome=failed
    ! passes || case $by in
    xbkit) outcome=wrong why="it failed, and its stream passes for whole" ;;
    *) why+=" (mbstream unpacks the stream with status 0)" ;;
    esac
}

one_round() { # sets outcome and why
    local status=0
    mkdir -p "$dir/c"
    ROUND_OPTIONS=(--innodb-buffer-pool-size=48M --innodb-log-file-size="$log_size")
    [ "$shape" = usual ] || ROUND_OPTIONS+=("--innodb-$shape")
    case $shape in
    *4k) page_size=4096 ;;
    *64k) page_size=65536 ;;
    *) page_size=16384 ;;
    esac
    # Tables of no use to pages of 64 KiB; mariabackup's own backups keep paths elsewhere.
    SCHEMA_EDIT=
    [[ $shape != *64k ]] || SCHEMA_EDIT="s/ROW_FORMAT=COMPRESSED//; s/PAGE_COMPRESSED=1//"
    [ "$by" != mariabackup ] || SCHEMA_EDIT+="; s/DATA DIRECTORY=.*;/;/"
    # shellcheck disable=SC2086
    SCHEMA_EDIT=$SCHEMA_EDIT source_under_load "$dir/s" $loads || { outcome=failed why="no source"; return; }
    [[ $fault != tear* ]] || make_still || { outcome=failed why="no table to tear"; return; }
    run_backup || status=$?
    laps=$(sed -n 's/.*from LSN \([0-9]*\) to \([0-9]*\)).*/\1 \2/p' "$dir/log" | awk -v log_size="${log_size%M}" \
        '{ printf "%.1f", ($2 - $1) / log_size / 1048576 }')
    if [ -n "${SERVER_PIDS[$dir/s]:-}" ]; then
        sleep 0.3
        load_stop "$dir/s" 2>/dev/null || { outcome=failed why="a writer failed: $(cat "$dir"/s/load-*.log | tail -1)"; return; }
    else
        LOAD_PIDS=()
    fi
    if [ $status != 0 ]; then
        refuse $status
        return
    fi
    if [ "$fault" = tear-stays ]; then
        outcome=wrong why="pages were torn all the time, and it says that it succeeded"
        return
    fi
    if [ "$by" = xbkit ] && ! "$XBKIT" verify <"$dir/stream" >/dev/null 2>&1; then
        outcome=wrong why="it succeeded, and its stream is not proven whole"
        return
    fi
    restore || { outcome=wrong why="restoring fails: $(tail -1 "$dir/prepare.log" | cut -c1-150)"; return; }
    server_up "$dir/c" --skip-log-bin --server-id=2 2>"$dir/why" ||
        { outcome=wrong why="no server starts on the copy: $(tail -1 "$dir/why")"; return; }
    if [ -n "${SERVER_PIDS[$dir/s]:-}" ]; then
        prove "$dir/s" "$dir/c" >"$dir/why" 2>&1
    else
        # The server was killed after the backup. It may have lost what it had told its binary log.
        check_copy "$dir/c" >"$dir/why" 2>&1
    fi || { outcome=wrong why=$(tail -1 "$dir/why"); return; }
    outcome=right why=
}

seed=${SEED:-$((RANDOM * 32768 + RANDOM))}
for ((round = 1; round <= rounds; round++, seed++)); do
    RANDOM=$((seed % 32768))
    pick shape usual usual usual page-size=4k page-size=64k flush-log-at-trx-commit=0 \
        flush-log-at-trx-commit=2 checksum-algorithm=crc32 undo-tablespaces=3 flush-method=fsync
    pick loads "w_bank w_many w_ddl" "w_bank w_many w_ddl" "w_bank w_many" "w_bank w_ddl w_ddl"
    pick sink fast slow slow
    pick rate 6m 10m 16m
    pick throttle "" "" 15M
    pick log_size 8M 10M 10M 24M
    pick fault none none none none kill-server kill-backup kill-sink stop-sink stop-backup stop-server tear tear-stays
    pick when 0.1 0.2 0.3 0.5 0.8 1.5 3
    dir=$scratch/r$round outcome='' why='' laps='' struck=''
    one_round
    round_cleanup
    count[$outcome]=$((count[$outcome] + 1))
    [ -z "$laps" ] || all_laps+=("$laps")
    told=$fault
    [[ $fault == none || $fault == tear* ]] || told+=" after $when s${struck:- (too late)}"
    echo "round $round SEED=$seed: $outcome | $shape, $loads, sink $sink${rate:+ $rate}${throttle:+, $throttle}, log $log_size, ${told%1}${laps:+ | $laps laps}${why:+ | $why}"
    case ${KEEP:+$outcome} in wrong | failed) rm -f "$dir/fifo" && cp -r "$dir" "$KEEP/$by-$seed" ;; esac
    rm -rf "$dir"
done
echo "$rounds rounds by $by: ${count[right]} right, ${count[refused]} ended in status 1 by a fault," \
    "${count[failed]} failed by themselves, ${count[wrong]} wrong"
[ ${#all_laps[@]} = 0 ] || printf '%s\n' "${all_laps[@]}" | sort -n | awk '
    { a[NR] = $1; if ($1 >= 2) n++ } END { printf "laps of the log while a backup ran: median %s, most %s; %d rounds had 2 or more\n", a[int((NR + 1) / 2)], a[NR], n }'
[ "${count[wrong]}" = 0 ]
