#!/bin/bash
# One row of the covering table: row.sh NAME, with the row's settings in the environment.
#
# SCHEMA_EDIT  what sed does to schema.sql
# OPTIONS   of every server of the row        LOADS    procedures that write meanwhile
# BACKUP    options of xbkit backup           BY       xbkit, innobackupex, mariabackup-dir, mariabackup
# VERSION   10.11 (what is installed), or 11.8 (what tests/lib/mariadb118.sh unpacked)
# RESTORE   restore, prepare, mariabackup, dropin      NO_BINLOG=1: only sums and checks prove the copy
# LOG_AMONG_DATA=1: the binary log is in the data directory
# XA_HELD=1: a transaction stays prepared throughout, and is committed when the backup is made
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")

name=$1 plugin_dir=$PWD/.plugins found=$PATH by=()
case ${VERSION:-10.11} in
10.11) ;;
11.8)
    # That server, its client and its mariabackup, for everything that the row does.
    PATH=$PWD/.servers/11.8/bin:$PATH
    # But restoring finds it among others, and preparing is told where it is.
    found=$found:$PWD/.servers/11.8/bin by=(--server=.servers/11.8/bin/mariadbd)
    plugin_dir=$PWD/.servers/11.8/root/usr/lib/mysql/plugin
    ;;
*) echo "row $name: there is no MariaDB $VERSION here" >&2; exit 1 ;;
esac
scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbhot.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP
source=$scratch/s copy=$scratch/c stream=$scratch/stream
mkdir -p "$copy" "$scratch/bin"
"$XBKIT" link "$scratch/bin" >/dev/null || exit 1

fail() {
    echo "row $name: $*" >&2
    exit 1
}

# @DIR@ in options stands for a directory of the row.
read -ra ROUND_OPTIONS <<<"--innodb-log-file-size=10M --innodb-buffer-pool-size=48M ${OPTIONS:-}"
ROUND_OPTIONS=("${ROUND_OPTIONS[@]//@DIR@/$scratch}")
ROUND_OPTIONS=("${ROUND_OPTIONS[@]//@PLUGINS@/$plugin_dir}")
if [[ ${OPTIONS:-} == *@DIR@/keys* ]]; then
    for id in 1 2 3; do echo "$id;$(openssl rand -hex 32)"; done >"$scratch/keys"
fi
for dir in home undo log; do
    [[ ${OPTIONS:-} != *@DIR@/$dir* ]] || mkdir "$scratch/$dir"
done
read -ra loads <<<"${LOADS-w_bank w_many w_ddl}"
read -ra backup <<<"${BACKUP:-}"

if [ -n "${LOG_AMONG_DATA:-}" ]; then
    mkdir -p "$source/data" && ln -s data "$source/binlog"
fi
source_under_load "$source" "${loads[@]}" || fail "no source"
if [ -n "${XA_HELD:-}" ]; then
    sql "$source" "CREATE TABLE held (n INT PRIMARY KEY, t CHAR(200)) ENGINE=InnoDB; XA START 'held';
        INSERT INTO held SELECT seq, seq FROM seq_1_to_3000; XA END 'held'; XA PREPARE 'held'" load_t || fail "no XA"
fi
case ${BY:-xbkit} in
xbkit) back_up "$source" "$stream" "${backup[@]}" || fail "the backup failed" ;;
innobackupex)
    timeout -k 10 120 "$scratch/bin/innobackupex" --no-defaults --socket="$source/sock" --user=root \
        --tmpdir="$scratch" --stream=xbstream ./ >"$stream" 2>"$stream.log" || fail "$(cat "$stream.log")"
    [[ $(tail -1 "$stream.log") == *"completed OK!" ]] || fail "the last line is not the one that callers look for"
    ;;
mariabackup-dir)
    timeout -k 10 120 "$scratch/bin/mariabackup" --no-defaults --backup --socket="$source/sock" --user=root \
        --tmpdir="$scratch" --target-dir="$copy/data" >"$stream.log" 2>&1 || fail "$(cat "$stream.log")"
    ;;
mariabackup) # the real one
    mariabackup --no-defaults --backup --stream=mbstream --socket="$source/sock" --user=root \
        --datadir="$source/data" >"$stream" 2>"$stream.log" || fail "$(tail -5 "$stream.log")"
    ;;
esac
sleep 0.3 # so that there is something to replay
[ -z "${XA_HELD:-}" ] || sql "$source" "XA COMMIT 'held'" || fail "XA COMMIT"
load_stop "$source" || fail "a writer failed"

# The copy must want nothing of where tables were. The source has them open.
mv "$source/outside" "$source/aside"
[ -d "$copy/data" ] || case ${RESTORE:-restore} in
restore)
    "$XBKIT" verify <"$stream" || fail "the stream is not proven whole"
    PATH=$found "$XBKIT" restore --owner root --tmpdir "$scratch" --datadir "$copy/data" "$stream" || fail "restore"
    ;;
mariabackup | prepare | dropin)
    mkdir "$copy/data" && mbstream -x -C "$copy/data" <"$stream" || fail "mbstream"
    ;;
esac
case ${RESTORE:-restore} in
prepare)
    plugins=()
    [[ ${OPTIONS:-} != *@PLUGINS@* ]] || plugins=(--server-option="plugin-dir=$plugin_dir")
    "$XBKIT" prepare --tmpdir "$scratch" "${by[@]}" "${plugins[@]}" "$copy/data" || fail "prepare"
    ;;
mariabackup)
    mariabackup --prepare --target-dir="$copy/data" >"$copy/prepare.log" 2>&1 ||
        fail "$(tail -20 "$copy/prepare.log")"
    ;;
dropin)
    mv "$copy/data" "$copy/prepared"
    "$scratch/bin/mariabackup" --prepare --target-dir="$copy/prepared" || fail "--prepare"
    "$scratch/bin/mariabackup" --no-defaults --copy-back --target-dir="$copy/prepared" --datadir="$copy/data" ||
        fail "--copy-back"
    cp "$copy"/prepared/*_binlog_info "$copy/data/"
    [ "$(id -u)" != 0 ] || chown -R root "$copy/data"
    ;;
esac
# A backup has all its parts in one place.
for dir in home undo log; do
    ROUND_OPTIONS=("${ROUND_OPTIONS[@]//$scratch\/$dir/./}")
done
server_up "$copy" --skip-log-bin --server-id=2 || fail "no server starts on the copy"
mv "$source/aside" "$source/outside"
if [ -n "${XA_HELD:-}" ]; then
    sql "$copy" "XA RECOVER" | grep -q 'held$' || fail "the prepared transaction is not in the copy"
fi
if [ -n "${NO_BINLOG:-}" ]; then
    check_copy "$copy" || fail "the copy is not well"
else
    prove "$source" "$copy" || fail "the copy is not the source"
fi
echo "row $name: passed"
