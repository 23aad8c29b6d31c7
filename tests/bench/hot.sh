#!/bin/bash
# Hot backups of one server, by xbkit and by mariabackup in turn: wall and CPU time, peak memory, and
# how long each stage was held. hot.sh [ROUNDS [MEGABYTES]]; XBKIT names the program.
#
# Into a pipe that is read (`| cat >/dev/null`), and straight to /dev/null; the server on O_DIRECT,
# as it is by default. Medians, as a Markdown table. Compare ratios only: machines differ.
set -euo pipefail
cd "$(dirname "$0")/../.."
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/release/xbkit}
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
rounds=${1:-5} megabytes=${2:-1024}
have_servers && command -v mariabackup >/dev/null || exit 77
scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbbench.XXXXXX")
trap 'round_cleanup; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP

ROUND_OPTIONS=(--innodb-log-file-size=256M --innodb-buffer-pool-size=512M --innodb-flush-log-at-trx-commit=2)
source=$scratch/s
WARM=0 source_under_load "$source"
for n in 1 2 3 4 5 6 7 8; do
    sql "$source" "CREATE TABLE load_t.big$n (id INT PRIMARY KEY, t CHAR(250), u CHAR(250)) ENGINE=InnoDB;
        INSERT INTO load_t.big$n SELECT seq, MD5(seq), SHA1(seq) FROM seq_1_to_$((megabytes * 1000000 / 8 / 560))" load_t
done
load_start "$source" w_bank
size=$(du -sm "$source/data" | cut -f1)

# one NAME SINK COMMAND...: appends wall and CPU seconds, and peak kilobytes.
one() {
    local file=$scratch/$1-$2
    if [ "$2" = pipe ]; then
        { command time -f '%e %U %S %M' -o "$file.t" "${@:3}" 2>"$file.log" | cat >/dev/null; }
    else
        command time -f '%e %U %S %M' -o "$file.t" "${@:3}" >/dev/null 2>"$file.log"
    fi
    tail -1 "$file.t" | awk '{ print $1, $2 + $3, $4 }' >>"$file"
}
for ((round = 0; round < rounds; round++)); do
    for sink in pipe null; do
        one xbkit $sink "$XBKIT" backup -S "$source/sock" -u root --tmpdir "$scratch" --parallel 2
        one mariabackup $sink mariabackup --no-defaults --backup --stream=xbstream --parallel=2 \
            --socket="$source/sock" --user=root --datadir="$source/data"
    done
done
transfers() { sql "$source" "SELECT MAX(id) FROM load_t.ledger"; }
during() { # during COMMAND...: transfers a second while it runs again and again for 10 s
    local begin end=$((SECONDS + 10))
    begin=$(transfers)
    while [ $SECONDS -lt $end ]; do "$@" >/dev/null 2>&1; done
    echo $((($(transfers) - begin) / 10))
}
without=$(during sleep 10)
with_xbkit=$(during "$XBKIT" backup -S "$source/sock" -u root --tmpdir "$scratch" --parallel 2)
with_mariabackup=$(during mariabackup --no-defaults --backup --stream=xbstream --parallel=2 \
    --socket="$source/sock" --user=root --datadir="$source/data")
load_stop "$source"

median() { sort -n | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
echo "| $size MB, $rounds rounds | wall s | CPU s | peak MiB |"
echo "|---|---|---|---|"
for sink in pipe null; do
    for program in xbkit mariabackup; do
        file=$scratch/$program-$sink
        printf '| %s to %s | %s | %s | %s |\n' $program "$sink" "$(cut -d' ' -f1 "$file" | median)" \
            "$(cut -d' ' -f2 "$file" | median)" "$(cut -d' ' -f3 "$file" | median | awk '{ print int($1 / 1024) }')"
    done
done
echo "transfers a second: $without without a backup, $with_xbkit under xbkit, $with_mariabackup under mariabackup, each back to back"
grep -h 'locks released' "$scratch/xbkit-pipe.log"
