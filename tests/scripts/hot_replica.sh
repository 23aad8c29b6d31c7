#!/bin/bash
# Hot backups of a replica while it applies what its primary does. A new replica is made of each,
# by the statements that the backup brings; it catches up, and then every table is as on the primary.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
PATH=$PATH:/usr/sbin
have_servers && command -v mariabackup >/dev/null || exit 77

scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbhot.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP
primary=$scratch/p replica=$scratch/r
failed=0
part='the servers'
no() {
    echo "replica, $part: $*" >&2
    failed=$((failed + 1))
}
give_up() {
    no "$@"
    exit 1
}

port=$(free_port)
# Persistent statistics are recalculated on each server for itself.
ROUND_OPTIONS=(--innodb-log-file-size=10M --innodb-buffer-pool-size=48M --innodb-stats-auto-recalc=0)
SOURCE_OPTIONS=(--skip-networking=0 --bind-address=127.0.0.1 --port="$port")
# A replica would make it in the same place.
SCHEMA_EDIT="s/DATA DIRECTORY=.*;/;/"
source_init "$primary" && mkdir -p "$replica/binlog" && cp -a "$primary/data" "$replica/data" || give_up "no data directory"
source_under_load "$primary" || give_up "no primary"
sql "$primary" "CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'x'; GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'"
from="master_host='127.0.0.1', master_port=$port, master_user='repl', master_password='x', master_connect_retry=1"
server_up "$replica" --log-bin="$replica/binlog/bin" --binlog-format=ROW --log-slave-updates --server-id=2 --skip-slave-start ||
    give_up "no replica"
sql "$replica" "CHANGE MASTER TO $from, master_log_file='bin.000001', master_log_pos=4, master_use_gtid=no; START SLAVE"

load() { # load BYTES PROCEDURE...: the primary is written to, and the replica has followed it so far
    local before
    before=$(lsn "$replica")
    sql "$primary" "SET sql_log_bin = 0; UPDATE load_t.ctl SET go = 1"
    load_start "$primary" "${@:2}"
    until [ $(($(lsn "$replica") - before)) -gt "$1" ]; do
        [ "$(applies)" = Yes ] || give_up "replication broke: $(sql "$replica" 'SHOW SLAVE STATUS\G')"
        sleep 0.05
    done
}
applies() { # whether the replica's thread runs
    mariadb --no-defaults --socket="$replica/sock" --user=root --execute='SHOW SLAVE STATUS\G' </dev/null |
        awk '$1 == "Slave_SQL_Running:" { print $2 }'
}
# caught_up DIR: waits until a replica has applied all of what its primary, now idle, did.
caught_up() {
    local file offset rest
    read -r file offset rest < <(sql "$primary" "SHOW MASTER STATUS")
    case $(sql "$1" "SELECT MASTER_POS_WAIT('$file', $offset, 120)") in
    NULL | -1) no "$1 does not catch up: $(sql "$1" 'SHOW SLAVE STATUS\G')"; return 1 ;;
    esac
}
# backup NAME [OPTION]...: of the replica, under load.
backup() {
    back_up "$replica" "$scratch/$1" --parallel=2 --slave-info "${@:2}" || give_up "the backup fails"
    [ "$(applies)" = Yes ] || no "the replica does not apply any more"
}
# seed NAME: the copy says where it stands in the primary's log, becomes a replica, and catches up.
seed() {
    local copy=$scratch/c.$1 file said rows
    mkdir "$copy"
    "$XBKIT" restore --owner root --tmpdir "$scratch" --datadir "$copy/data" "$scratch/$1" 2>"$copy/restore.log" ||
        give_up "restoring fails: $(cat "$copy/restore.log")"
    server_up "$copy" --server-id=3 --skip-slave-start || give_up "no server on the copy"
    check_copy "$copy" || no "the copy is not well"
    file=$copy/data/xtrabackup_slave_info
    rows=$(sql "$copy" "SELECT CONCAT_WS('-', domain_id, server_id, seq_no) FROM mysql.gtid_slave_pos
        ORDER BY sub_id DESC LIMIT 1")
    said=$(sed -n "s/.*gtid_slave_pos = '\(.*\)';/\1/p" "$file")
    [ -n "$said" ] || said=$(sql "$primary" "SELECT BINLOG_GTID_POS($(sed "s/.*FILE=\(.*\), MASTER_LOG_POS=\(.*\);/\1, \2/" "$file"))")
    [ "$said" = "$rows" ] || no "slave_info says $said, and what is applied in the copy ends with $rows"
    { echo "CHANGE MASTER TO $from;" && cat "$file" && echo "START SLAVE;"; } | client "$copy" || give_up "$(cat "$file")"
    caught_up "$copy" || return
    checksums "$primary" >"$primary/sums"
    checksums "$copy" >"$copy/sums"
    diff "$primary/sums" "$copy/sums" || no "the new replica is not the primary"
    server_kill "$copy"
    rm -rf "$copy" "${scratch:?}/$1"
}

part='by file and offset'
load 2000000 w_bank w_many w_ddl
backup offset
load_stop "$primary" || no "a writer failed"
seed offset

part='by GTID, applying in parallel'
caught_up "$replica"
sql "$replica" "STOP SLAVE; SET GLOBAL slave_parallel_threads = 3; CHANGE MASTER TO master_use_gtid = slave_pos; START SLAVE"
load 2000000 w_bank w_many w_ddl
backup gtid
load_stop "$primary" || no "a writer failed"
seed gtid

part='temporary tables'
caught_up "$replica"
sql "$replica" "STOP SLAVE; SET GLOBAL slave_parallel_threads = 0; CHANGE MASTER TO master_use_gtid = no; START SLAVE"
# What statements take from tables that no backup carries, session by session.
sql "$primary" "CREATE TABLE load_t.taken (n INT)"
for n in $(seq 150); do
    echo "CREATE TEMPORARY TABLE t$n (n INT); INSERT INTO t$n VALUES ($n), ($n + 1); DO SLEEP(0.02);
        INSERT INTO taken SELECT n FROM t$n; DROP TEMPORARY TABLE t$n; DO SLEEP(0.02);"
done >"$scratch/temporary.sql"
load 100000 w_bank
{ echo "SET binlog_format = STATEMENT;" && cat "$scratch/temporary.sql"; } | client "$primary" load_t 2>"$scratch/temporary.log" &
sessions=$!
until [ "$(sql "$replica" 'SELECT COUNT(*) FROM load_t.taken')" -gt 4 ]; do sleep 0.05; done
for name in first second; do backup $name --safe-slave-backup; done
load_stop "$primary" || no "a writer failed"
wait $sessions || no "$(cat "$scratch/temporary.log")"
for name in first second; do seed $name; done

part='one that stays open'
caught_up "$replica"
mkfifo "$scratch/open"
client "$primary" load_t <"$scratch/open" >"$scratch/open.out" 2>&1 &
session=$!
exec 4>"$scratch/open"
echo "SET binlog_format = STATEMENT; CREATE TEMPORARY TABLE stays (n INT); INSERT INTO stays VALUES (1);" >&4
until [ "$(sql "$replica" "SHOW GLOBAL STATUS LIKE 'Slave_open_temp_tables'" | cut -f2)" = 1 ]; do sleep 0.05; done
mkdir "$scratch/bin" && "$XBKIT" link "$scratch/bin" >/dev/null
"$scratch/bin/innobackupex" --no-defaults --socket="$replica/sock" --user=root --tmpdir="$scratch" --slave-info \
    --safe-slave-backup --safe-slave-backup-timeout=1 --stream=xbstream ./ >"$scratch/stream" 2>"$scratch/log" && no "a backup does without it"
grep -q "never without temporary tables for 1 s" "$scratch/log" || no "it is not told: $(cat "$scratch/log")"
[ "$(applies)" = Yes ] || no "the replica does not apply any more"
env --default-signal=INT "$XBKIT" backup -S "$replica/sock" -u root --tmpdir "$scratch" --safe-slave-backup \
    >"$scratch/stream" 2>"$scratch/log" </dev/null &
backup=$!
until grep -q "copying" "$scratch/log"; do sleep 0.05; done
sleep 0.5
kill -INT $backup
wait $backup && no "it does not end by a signal"
[ "$(applies)" = Yes ] || no "the replica does not apply any more, after a signal"
sql "$replica" "STOP SLAVE SQL_THREAD"
"$XBKIT" backup -S "$replica/sock" -u root --tmpdir "$scratch" --safe-slave-backup >"$scratch/stream" 2>"$scratch/log" </dev/null &&
    no "a backup does without it, when the replica is stopped"
grep -q "threads are stopped, with 1 temporary" "$scratch/log" || no "it is not told: $(cat "$scratch/log")"
[ "$(applies)" = No ] || no "the replica applies, and did not before"
sql "$replica" "START SLAVE"
echo "DROP TEMPORARY TABLE stays;" >&4
exec 4>&-
wait $session

part='privileges'
caught_up "$replica"
sql "$replica" "SET sql_log_bin = 0; CREATE USER poor@localhost; GRANT RELOAD, BINLOG MONITOR ON *.* TO poor@localhost"
for grant in "SLAVE MONITOR" "REPLICATION SLAVE ADMIN"; do
    "$XBKIT" backup -S "$replica/sock" -u poor --safe-slave-backup >"$scratch/stream" 2>"$scratch/log" && no "nothing is refused"
    grep -q "hint: GRANT $grant ON" "$scratch/log" || no "$grant is not named: $(cat "$scratch/log")"
    sql "$replica" "SET sql_log_bin = 0; GRANT $grant ON *.* TO poor@localhost"
done
"$XBKIT" backup -S "$replica/sock" -u poor --tmpdir "$scratch" --safe-slave-backup --slave-info >"$scratch/stream" 2>"$scratch/log" ||
    no "these privileges do not do: $(cat "$scratch/log")"

part='as mariabackup'
for use in no slave_pos; do
    sql "$replica" "STOP SLAVE; CHANGE MASTER TO master_use_gtid = $use"
    "$XBKIT" backup -S "$replica/sock" -u root --tmpdir "$scratch" --slave-info --target-dir "$scratch/ours" 2>"$scratch/log" || no "$(cat "$scratch/log")"
    mariabackup --no-defaults --backup --slave-info --socket="$replica/sock" --user=root --datadir="$replica/data" \
        --target-dir="$scratch/theirs" >"$scratch/log" 2>&1 || no "$(tail -3 "$scratch/log")"
    cmp "$scratch/ours/xtrabackup_slave_info" "$scratch/theirs/xtrabackup_slave_info" || no "slave_info differs, with $use"
    cmp "$scratch/ours/xtrabackup_binlog_info" "$scratch/theirs/xtrabackup_binlog_info" || no "binlog_info differs, with $use"
    rm -rf "$scratch/ours" "$scratch/theirs"
done

part='no replica'
"$XBKIT" backup -S "$primary/sock" -u root --tmpdir "$scratch" --slave-info --safe-slave-backup >"$scratch/stream" 2>"$scratch/log" ||
    no "$(cat "$scratch/log")"
grep -q "is no replica, so there is no xtrabackup_slave_info" "$scratch/log" || no "it is not told: $(cat "$scratch/log")"
"$XBKIT" list <"$scratch/stream" | grep slave_info && no "there is one"

[ $failed = 0 ] || { echo "hot_replica: $failed failures" >&2; exit 1; }
echo "hot_replica: each new replica caught up, and is its primary"
