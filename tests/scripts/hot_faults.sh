#!/bin/bash
# What goes wrong during a hot backup: each fault is told, ends in status 1, leaves no lock on the
# server, no connection, and no stream that could be taken for whole.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
have_servers || exit 77

scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbhot.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP
source=$scratch/s stream=$scratch/stream log=$scratch/log
failed=0

no() {
    echo "fault $fault: $*" >&2
    sed 's/^/    /' "$log" >&2
    failed=$((failed + 1))
}

# backup [OPTION]...: starts a backup in the background, as $backup.
backup() {
    : >"$log" # what an earlier one said is no sign of this one
    env --default-signal=INT "$XBKIT" backup -S "$source/sock" -u root --tmpdir "$scratch" "$@" >"$stream" 2>"$log" </dev/null &
    backup=$!
}
# Waits until the backup has said something.
says() {
    local deadline=$((SECONDS + 20))
    until grep -q "$1" "$log"; do
        kill -0 "$backup" 2>/dev/null && [ $SECONDS -lt $deadline ] || return 1
        sleep 0.02
    done
}
# ends STATUS MESSAGE: the backup ends so within 30 s, and the server is as free as before.
ends() {
    local status=0 deadline=$((SECONDS + 30))
    while kill -0 "$backup" 2>/dev/null; do
        [ $SECONDS -lt $deadline ] || { no "it does not end"; kill -9 "$backup"; }
        sleep 0.02
    done
    wait "$backup" || status=$?
    [ "$status" = "$1" ] || no "ends with $status, not $1"
    grep -Eq "$2" "$log" || no "does not say '$2'"
    [ "$1" = 0 ] || ! "$XBKIT" verify --allow-unproven <"$stream" >/dev/null 2>&1 || no "its stream passes for whole"
}
free() {
    local others deadline=$((SECONDS + 10))
    timeout 10 mariadb --no-defaults --socket="$source/sock" --user=root --execute="
        CREATE OR REPLACE TABLE load_t.after_fault (id INT) ENGINE=MyISAM; INSERT INTO load_t.after_fault VALUES (1);
        INSERT INTO load_t.ledger (n) VALUES (0); DROP TABLE load_t.after_fault" >/dev/null || no "the server is still locked"
    until others=$(sql "$source" "SELECT COUNT(*) FROM information_schema.processlist
            WHERE db IS NULL AND id <> CONNECTION_ID() AND user = 'root' AND command <> 'Killed'") && [ "$others" = 0 ]; do
        [ $SECONDS -lt $deadline ] || { no "$others connections are left"; break; }
        sleep 0.05
    done
}

ROUND_OPTIONS=(--innodb-log-file-size=10M --innodb-buffer-pool-size=48M)
source_under_load "$source" w_bank w_many || exit 1

fault="a sink that ends"
"$XBKIT" backup -S "$source/sock" -u root --tmpdir "$scratch" 2>"$log" </dev/null | head -c 300000 >"$stream"
status=${PIPESTATUS[0]}
[ "$status" = 1 ] || no "ends with $status"
grep -q "reads the stream has ended" "$log" || no "does not say that the reader ended"
free

fault="a sink that stalls"
mkfifo "$scratch/fifo"
"$XBKIT" backup -S "$source/sock" -u root --tmpdir "$scratch" >"$scratch/fifo" 2>"$log" </dev/null &
backup=$!
exec 4<"$scratch/fifo"
says "copying" || no "does not begin"
# Nobody reads: whatever stage it is in, nobody waits for it for longer than the locks take.
for _ in 1 2 3; do free_check=$(timeout 5 mariadb --no-defaults --socket="$source/sock" --user=root --batch --skip-column-names --execute="
    CREATE OR REPLACE TABLE load_t.x (id INT) ENGINE=MyISAM; INSERT INTO load_t.x VALUES (1); DROP TABLE load_t.x; SELECT 'free'")
    [ "$free_check" = free ] || no "a stalled sink keeps others waiting"
    sleep 0.3
done
kill -0 "$backup" 2>/dev/null || no "does not wait for its sink"
cat <&4 >"$stream"
exec 4<&-
ends 0 "Redo log"
"$XBKIT" verify <"$stream" || no "the stream is not proven whole"
free

# CREATE USER waits for BLOCK_COMMIT to go, and holds a lock of the server's on grants meanwhile. A
# backup that asks for what needs that lock waits for itself.
fault="accounts made all the time"
makers=()
for n in 1 2 3; do
    while sql "$source" "CREATE OR REPLACE USER maker_$n IDENTIFIED BY 'x'; GRANT SELECT ON load_t.* TO maker_$n"; do :; done &
    makers+=($!)
done
for _ in 1 2 3; do
    backup
    ends 0 "Redo log"
done
kill "${makers[@]}"; wait "${makers[@]}" 2>/dev/null
free

for signal in INT TERM; do
    fault="SIG$signal"
    backup --throttle=10M
    says copying || no "does not begin"
    kill -s $signal "$backup"
    ends 1 "cancelled"
    free
done

fault="killed"
backup --throttle=10M
says copying || no "does not begin"
kill -9 "$backup"
ends 137 "copying" 2>/dev/null
free

fault="overrun"
backup --throttle=10M
says copying || no "does not begin"
begin=$(lsn "$source")
kill -STOP "$backup"
deadline=$((SECONDS + 60))
until [ $(($(lsn "$source") - begin)) -gt 12000000 ] || [ $SECONDS -gt $deadline ]; do sleep 0.1; done
kill -CONT "$backup"
ends 1 "redo log overrun.*its log holds"
free

fault="lost connections"
backup --throttle=10M
says copying || no "does not begin"
for id in $(sql "$source" "SELECT id FROM information_schema.processlist WHERE db IS NULL AND user = 'root' AND id <> CONNECTION_ID()"); do
    sql "$source" "KILL $id" 2>/dev/null
done
ends 1 "connection"
free

fault="another backup"
mariadb --no-defaults --socket="$source/sock" --user=root load_t --execute="BACKUP STAGE START; SELECT SLEEP(30)" >/dev/null 2>&1 &
other=$!
until sql "$source" "SELECT state FROM information_schema.processlist" | grep -q "User sleep"; do sleep 0.05; done
backup --lock-wait-timeout=1
ends 1 "Lock wait timeout"
grep -q "hint: another backup is running" "$log" || no "does not say what to do"
kill "$other"; wait "$other" 2>/dev/null
sql "$source" "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()" |
    client "$source" --force >/dev/null 2>&1
free

fault="a lock that is not granted"
mariadb --no-defaults --socket="$source/sock" --user=root load_t --execute="LOCK TABLES isam2 WRITE; SELECT SLEEP(30)" >/dev/null 2>&1 &
other=$!
until sql "$source" "SELECT state FROM information_schema.processlist" | grep -q "User sleep"; do sleep 0.05; done
backup --lock-wait-timeout=1
ends 1 "BACKUP STAGE .*Lock wait timeout"
kill "$other"; wait "$other" 2>/dev/null
sql "$source" "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()" |
    client "$source" --force >/dev/null 2>&1
free

fault="a spool that is full"
backup --max-spool=100K --throttle=20M
ends 1 "spool would exceed its limit"
free

fault="the wrong data directory"
mkdir "$scratch/other"
backup --datadir "$scratch/other"
ends 1 "not the data directory of the server"
free

fault="no such user, no privileges"
sql "$source" "CREATE USER poor@localhost IDENTIFIED BY 'pw'"
for grant in "RELOAD" "BINLOG MONITOR"; do
    XBKIT_PASSWORD=pw "$XBKIT" backup -S "$source/sock" -u poor >"$stream" 2>"$log"
    status=$?
    [ $status = 1 ] || no "ends with $status"
    grep -q "hint: GRANT $grant ON" "$log" || no "does not name $grant"
    sql "$source" "GRANT $grant ON *.* TO poor@localhost"
done
XBKIT_PASSWORD=pw "$XBKIT" backup -S "$source/sock" -u poor --tmpdir "$scratch" >"$stream" 2>"$log" || no "these privileges do not do"
XBKIT_PASSWORD=bad "$XBKIT" backup -S "$source/sock" -u poor >"$stream" 2>"$log" && no "a wrong password does"
grep -q "refuses the login" "$log" || no "does not say that the login is refused"
grep -q "bad" "$log" && no "shows the password"
free

fault="a damaged page"
sql "$source" "CREATE TABLE load_t.damaged (id INT PRIMARY KEY, t CHAR(200)) ENGINE=InnoDB;
    INSERT INTO load_t.damaged SELECT seq, seq FROM seq_1_to_2000; FLUSH TABLES load_t.damaged FOR EXPORT; UNLOCK TABLES" load_t
printf 'torn' | dd of="$source/data/load_t/damaged.ibd" bs=1 seek=$((5 * 16384 + 300)) conv=notrunc status=none
backup
ends 1 "load_t/damaged.ibd: page 5"
sql "$source" "DROP TABLE load_t.damaged"
free

fault="a server that is killed"
load_stop "$source" || no "a writer failed"
backup --throttle=5M
says copying || no "does not begin"
server_kill "$source"
ends 1 "connection|connecting"

[ $failed = 0 ] || { echo "hot_faults: $failed failures" >&2; exit 1; }
echo "hot_faults: all faults were told, and left nothing locked"
