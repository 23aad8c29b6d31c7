#!/bin/bash
# Pages of a running server that are damaged on disk: told, carried if asked for, listed as mariabackup
# lists them; and those that are whole a moment later are no damage.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
have_servers || exit 77
for program in mariabackup mbstream jq; do
    command -v $program >/dev/null || { echo "hot_pages: $program is not installed" >&2; exit 77; }
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbhot.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP
source=$scratch/s stream=$scratch/stream log=$scratch/log
failed=0

no() {
    echo "hot_pages: $what: $*" >&2
    sed 's/^/    /' "$log" | tail -30 >&2
    failed=$((failed + 1))
}
# backup STATUS [OPTION]...
backup() {
    local status=0
    timeout -k 10 120 "$XBKIT" backup -S "$source/sock" -u root --tmpdir "$scratch" --progress=json "${@:2}" \
        >"$stream" 2>"$log" </dev/null || status=$?
    [ "$status" = "$1" ] || no "ends with $status, not $1"
}
# told TYPE FILTER: of what the job told.
told() {
    grep '^{' "$log" | jq -cr "select(.event == \"$1\") | $2"
}
# counts: what the job said of pages in the end, and what the manifest says.
counts() {
    rm -rf "$scratch/x"
    mkdir "$scratch/x" && mbstream -x -C "$scratch/x" <"$stream" || no "mbstream"
    grep -o '"pages":{[^}]*}' "$scratch/x/xbkit_manifest.json" | tr -d ' '
}
damage() { # damage FILE PAGE...
    local page
    for page in "${@:2}"; do
        printf 'torn' | dd of="$source/data/$1" bs=1 seek=$((page * 16384 + 300)) conv=notrunc status=none
    done
}
make_table() { # make_table NAME: on disk, all of it
    sql "$source" "CREATE TABLE d.$1 (id INT PRIMARY KEY, t CHAR(200)) ENGINE=InnoDB;
        INSERT INTO d.$1 SELECT seq, seq FROM seq_1_to_3000; FLUSH TABLES d.$1 FOR EXPORT; UNLOCK TABLES" mysql
}

source_init "$source" && server_up "$source" || exit 1
sql "$source" "CREATE DATABASE d"
for name in t u v whole; do make_table $name; done

for format in xbstream tar; do
    for more in "" "--compress=zstd"; do
        what="whole pages, $format $more"
        # shellcheck disable=SC2086
        backup 0 --stream=$format --parallel=2 $more
        done=$(told "done" .pages)
        [ "$(jq '.pages == .good + .zero + .unchecked.doublewrite and .good > 300 and .bad == 0 and .missing == 0' <<<"$done")" = true ] ||
            no "its counts are $done"
        [ "$format$more" = xbstream ] || continue
        said=$(counts)
        [ "$said" = "$(jq -r '"\"pages\":{\"all\":\(.pages),\"unchecked\":\(.unchecked.doublewrite),\"damaged\":0}"' <<<"$done")" ] ||
            no "the manifest says $said, the job $done"
        # Another look at the same pages.
        "$XBKIT" check --json "$scratch/x" >"$scratch/checked" || no "check"
        [ "$(jq -c 'select(.type == "total") | .pages' "$scratch/checked")" = "$(jq .pages <<<"$done")" ] || no "check counts otherwise"
    done
done

what="a page that is whole a moment later"
good=$(dd if="$source/data/d/whole.ibd" bs=1 skip=$((5 * 16384 + 300)) count=4 status=none | od -An -tx1)
damage d/whole.ibd 5
(until grep -q copying "$log"; do sleep 0.01; done; sleep 0.5; for byte in $good; do printf '%b' "\\x$byte"; done |
    dd of="$source/data/d/whole.ibd" bs=4 seek=$(((5 * 16384 + 300) / 4)) conv=notrunc status=none) &
repair=$!
backup 0
wait $repair
"$XBKIT" verify --pages <"$stream" 2>>"$log" || no "a page in the stream is damaged"

what="damaged pages, refused"
damage d/t.ibd 5 7 8
damage d/u.ibd 6
backup 1
told error .message | grep -Eq "d/[tu].ibd: page [5-8]: its checksum is .* after reading it 100 times" || no "does not name the page"
told error .hint | grep -q -- "--log-page-corruption" || no "does not say what to do"

what="damaged pages, carried"
backup 1 --log-page-corruption --parallel=2
bad=$(told bad_page '[.path, .page]' | sort | tr '\n' ' ')
[ "$bad" = '["d/t.ibd",5] ["d/t.ibd",7] ["d/t.ibd",8] ["d/u.ibd",6] ' ] || no "lists $bad"
told error .message | grep -q "the stream is complete, with 4 damaged pages" || no "does not say that the stream is complete"
"$XBKIT" verify <"$stream" 2>>"$log" || no "the stream is not proven whole"
counts | grep -q '"damaged":4}' || no "the manifest says $(counts)"
timeout -k 10 120 mariabackup --no-defaults --backup --socket="$source/sock" --user=root --log-innodb-page-corruption \
    --target-dir="$scratch/real" >"$scratch/real.log" 2>&1 || no "mariabackup: $(tail -3 "$scratch/real.log")"
cmp "$scratch/x/innodb_corrupted_pages" "$scratch/real/innodb_corrupted_pages" || no "the list is not mariabackup's: $(cat "$scratch/x/innodb_corrupted_pages")"
for name in t u; do
    cmp "$scratch/x/d/$name.ibd" "$source/data/d/$name.ibd" || no "$name.ibd is not what is on the disk"
done

what="damaged pages, into a directory, by the drop-in name"
mkdir "$scratch/bin" && "$XBKIT" link "$scratch/bin" >/dev/null
status=0
timeout -k 10 120 "$scratch/bin/mariabackup" --no-defaults --backup --socket="$source/sock" --user=root --tmpdir="$scratch" \
    --log-innodb-page-corruption --target-dir="$scratch/dir" >/dev/null 2>"$log" || status=$?
[ $status = 1 ] || no "ends with $status"
! grep -q "completed OK" "$log" || no "says that all is well"
cmp "$scratch/dir/innodb_corrupted_pages" "$scratch/real/innodb_corrupted_pages" || no "the list is not there"

what="a first page that is damaged"
damage d/v.ibd 0
backup 1
told error .message | grep -Eq "d/([tu].ibd: page|v.ibd: its begin is no page 0)" || no "is not refused"
backup 1 --log-page-corruption
[ "$(told bad_page 'select(.path == "d/v.ibd") | .page')" = 0 ] || no "is not listed"

what="a file of noise"
head -c 1000000 /dev/urandom | dd of="$source/data/d/v.ibd" conv=notrunc status=none
backup 1 --log-page-corruption --throttle=50M
[ "$(told bad_page 'select(.path == "d/v.ibd") | .page' | head -1)" = 0 ] || no "is not listed"
counts >/dev/null
cmp "$scratch/x/d/v.ibd" "$source/data/d/v.ibd" || no "is not what is on the disk"

[ $failed = 0 ] || { echo "hot_pages: $failed failures" >&2; exit 1; }
echo "hot_pages: passed"
