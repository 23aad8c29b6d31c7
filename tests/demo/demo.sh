#!/bin/bash
# Carries a real MariaDB data directory through a stream and back, and compares every table.
#
# XBKIT names the program (target/release/xbkit by default), XBK_DEMO_ROWS the number of rows.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/server.sh
. tests/lib/server.sh

xbkit=$(realpath "${XBKIT:-${CARGO_TARGET_DIR:-target}/release/xbkit}")
rows=${XBK_DEMO_ROWS:-400000}
[ -x "$xbkit" ] || { echo "demo: $xbkit is not there; run 'make build' first" >&2; exit 1; }
server_is_there || exit 77

scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbkit-demo.XXXXXX")
cleanup() {
    server_cleanup
    rm -rf "$scratch"
}
trap cleanup EXIT
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
SERVER_OPTIONS=(--innodb-stats-auto-recalc=0 --innodb-undo-tablespaces=2)
source=$scratch/source outside=$scratch/outside stream=$scratch/f.xbstream
mkdir "$outside" "$scratch/bin"

echo "This demo works below $scratch and removes it at the end."
begin=$(now_ms)
server_init "$source"
server_start "$source"
{ echo "SET @n = $rows;" && sed "s,@OUTSIDE@,$outside," tests/demo/tables.sql; } | server_client
server_sql "ANALYZE TABLE $(server_tables | grep -v '^`mysql`\|^`sys`' | paste -sd,)" >/dev/null
server_checksums >"$scratch/before.txt"
counted=$(server_sql "SELECT COUNT(*), FORMAT(SUM(table_rows), 0) FROM information_schema.tables
    WHERE table_schema IN ('shop', 'archive', 'odd-näme') AND table_type <> 'VIEW'")
ibd=$outside/archive/elsewhere.ibd
server_stop
[ -f "$ibd" ] || fail "$ibd was expected outside of the data directory"
say_since "$begin" "A $(mariadb --version | grep -o '[0-9.]*-MariaDB' | head -1) server made" \
    "$(cut -f1 <<<"$counted") tables with about $(cut -f2 <<<"$counted") rows, $(size_of "$source")" \
    "and $(size_of "$outside") outside of the data directory, and was stopped."

begin=$(now_ms)
"$xbkit" backup --offline --datadir "$source" --stream=xbstream >"$stream"
say_since "$begin" "xbkit backup wrote a stream of $(size_of "$stream")."

# Nothing may be read from the original any more, not even through a link to a tablespace.
mv "$source" "$scratch/aside"
mv "$outside" "$scratch/outside-aside"

begin=$(now_ms)
"$xbkit" extract -C "$scratch/new" <"$stream"
say_since "$begin" "xbkit extract made $(find "$scratch/new" -type f | wc -l) files of it," \
    "$(size_of "$scratch/new")."

"$xbkit" link "$scratch/bin"
mkdir "$scratch/other"
begin=$(now_ms)
"$scratch/bin/xbstream" -x -C "$scratch/other" <"$stream"
say_since "$begin" "xbstream -x, the same program by another name, extracted it too."

diff -r "$scratch/new" "$scratch/other" || fail "the two extracted directories differ"
# diff fails when there is a difference; which of them matter is decided here.
LC_ALL=C diff -rq "$scratch/aside" "$scratch/new" >"$scratch/differences" || [ $? = 1 ]
if grep '^Files .* differ$' "$scratch/differences"; then
    fail "these files are not what they were in the data directory"
fi
# A link file names where a tablespace was; the tablespace itself is what is carried.
if grep '^Only in .*/aside' "$scratch/differences" | grep -v '\.isl$\|: ibtmp1$'; then
    fail "these files of the data directory are missing in the copy"
fi
cmp "$scratch/outside-aside/archive/elsewhere.ibd" "$scratch/new/archive/elsewhere.ibd"
echo "Both copies have every file of the data directory, each with the bytes of its original."

for copy in new other; do
    begin=$(now_ms)
    server_start "$scratch/$copy"
    server_check
    server_checksums >"$scratch/$copy.txt"
    server_stop
    diff "$scratch/before.txt" "$scratch/$copy.txt" || fail "'$copy' differs from the original as shown"
    say_since "$begin" "A server on the copy '$copy' finds every table well, and" \
        "CHECKSUM TABLE of all $(grep -c '^[^	]*\.' "$scratch/before.txt") tables as before the backup."
done
echo "The demo passed."
