#!/bin/bash
# Backs up a MariaDB server while it is being written to, restores the stream, and proves that the
# copy is the server as it was at the recorded position: the server's binary log is replayed on the
# copy from there on, and then every table has the same checksum on both.
#
# XBKIT names the program (target/release/xbkit by default), XBK_DEMO_ROWS the number of rows.
set -euo pipefail
cd "$(dirname "$0")/../.."
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/release/xbkit}
rows=${XBK_DEMO_ROWS:-400000}
[ -x "$XBKIT" ] || { echo "demo: $XBKIT is not there; run 'make build' first" >&2; exit 1; }
XBKIT=$(realpath "$XBKIT")
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
have_servers || exit 77

scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbdemo.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    echo "demo: $*" >&2
    exit 1
}
now_ms() {
    echo $((${EPOCHREALTIME/[.,]/} / 1000))
}
say_since() { # say_since BEGIN_MS SENTENCE...
    local ms=$(($(now_ms) - $1))
    printf '%s (%d.%02d s)\n' "${*:2}" $((ms / 1000)) $((ms % 1000 / 10))
}
size_of() {
    du -sb --apparent-size "$1" | awk '{ printf "%.1f MB", $1 / 1e6 }'
}

# Persistent statistics are recalculated behind our back; then two checksums of one server differ.
ROUND_OPTIONS=(--innodb-log-file-size=16M --innodb-stats-auto-recalc=0 --innodb-undo-tablespaces=2)
source=$scratch/s copy=$scratch/c outside=$scratch/outside stream=$scratch/f.xbstream
mkdir -p "$outside" "$copy"

echo "This demo works below $scratch and removes it at the end."
begin=$(now_ms)
WARM=0 source_under_load "$source"
{ echo "SET @n = $rows;" && sed "s,@OUTSIDE@,$outside," tests/demo/tables.sql; } | client "$source"
[ -f "$outside/archive/elsewhere.ibd" ] || fail "a table was expected outside of the data directory"
counted=$(sql "$source" "SELECT COUNT(*), FORMAT(SUM(table_rows), 0) FROM information_schema.tables
    WHERE table_schema IN ('shop', 'archive', 'odd-näme', 'load_t') AND table_type <> 'VIEW'")
load_start "$source" w_bank w_many w_ddl
say_since "$begin" "A $(mariadb --version | grep -o '[0-9.]*-MariaDB' | head -1) server runs, with" \
    "$(cut -f1 <<<"$counted") tables and about $(cut -f2 <<<"$counted") rows, $(size_of "$source/data")." \
    "Three clients write to it: transfers in a bank, inserts into tables of all kinds, and DDL."

begin=$(now_ms) before=$(sql "$source" "SELECT COUNT(*) FROM load_t.ledger")
"$XBKIT" backup --socket "$source/sock" --user root --tmpdir "$scratch" --parallel 2 >"$stream" 2>"$stream.log" ||
    { cat "$stream.log" >&2; fail "the backup failed"; }
grep -v "latest check point" "$stream.log" | sed 's/^xbkit: /    /'
say_since "$begin" "xbkit backup wrote a stream of $(size_of "$stream"), while" \
    "$(($(sql "$source" "SELECT COUNT(*) FROM load_t.ledger") - before)) transfers were made."
sleep 1
load_stop "$source" || fail "a writer failed"

"$XBKIT" verify <"$stream"
begin=$(now_ms)
owner=()
[ "$(id -u)" != 0 ] || owner=(--owner root)
"$XBKIT" restore "${owner[@]}" --tmpdir "$scratch" --datadir "$copy/data" "$stream" 2>&1 | sed 's/^xbkit: /    /'
say_since "$begin" "xbkit restore verified the stream, extracted it, and had the server recover it:" \
    "$(size_of "$copy/data")."

begin=$(now_ms)
server_up "$copy" --skip-log-bin --server-id=2
check_copy "$copy"
say_since "$begin" "A server on the copy finds every table well; the bank holds what it always does."

begin=$(now_ms)
prove "$source" "$copy"
read -r file offset _ <"$copy/data/xtrabackup_binlog_info"
say_since "$begin" "Its binary log from $file $offset on was replayed on the copy: then CHECKSUM TABLE" \
    "of all $(grep -c . "$copy/sums") tables and databases is the same on both."
echo "The demo passed."
