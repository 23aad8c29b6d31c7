#!/bin/bash
# Hot backups of one server, by xbkit and by mariabackup in turn, as Markdown tables.
#
#   hot.sh [all]                   everything, in a scratch directory: bench-hot of the Makefile
#   hot.sh make DIR                the data: 1 GiB in 8 tables, and 20,000 small tables
#   hot.sh measure DIR PART...     direct, warm, load, small; results are added to DIR/results
#   hot.sh report DIR              the tables
#
# direct  the server on O_DIRECT, as it is by default, idle: into a pipe that is read, and /dev/null
# warm    the server, and mariabackup, on fsync; all files read just before: the same
# load    writers meanwhile: what they get done while backups run back to back, and how long each
#         stage was held, as the server's performance schema tells
# small   20,000 tables of 64 KiB, or as many as mariabackup can open, which keeps all of them open
#
# ROUNDS of each (5), MEGABYTES of data (1024), TABLES (20000); XBKIT names the program. Compare ratios
# only: machines differ, and so does one from hour to hour.
set -euo pipefail
cd "$(dirname "$0")/../.."
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/release/xbkit}
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
rounds=${ROUNDS:-5} megabytes=${MEGABYTES:-1024} tables=${TABLES:-20000}
have_servers && command -v mariabackup >/dev/null || exit 77
trap 'status=$?; set +e; round_cleanup; [ -z "${scratch:-}" ] || rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP
ROUND_OPTIONS=(--innodb-log-file-size=256M --innodb-buffer-pool-size=512M --innodb-flush-log-at-trx-commit=2)

make_data() { # make_data DIR
    local big=$1/big small=$1/small n most
    WARM=0 source_under_load "$big"
    for n in 1 2 3 4 5 6 7 8; do
        sql "$big" "CREATE TABLE load_t.big$n (id INT PRIMARY KEY, t CHAR(250), u CHAR(250)) ENGINE=InnoDB;
            INSERT INTO load_t.big$n SELECT seq, MD5(seq), SHA1(seq)
            FROM seq_1_to_$((megabytes * 1000000 / 8 / 560))" load_t
    done
    server_down "$big"
    # mariabackup has all of them open at once.
    most=$(($(ulimit -Hn) - 1000))
    [ "$tables" -lt $most ] || tables=$most
    source_init "$small"
    server_up "$small" --sync-frm=0
    {
        echo "CREATE DATABASE small; USE small;"
        for ((n = 0; n < tables; n++)); do echo "CREATE TABLE t$n (id INT PRIMARY KEY, t CHAR(100)) ENGINE=InnoDB;"; done
    } | client "$small"
    server_down "$small"
    echo "$tables" >"$1/tables"
}

# one DIR CASE PROGRAM SOURCE SINK COMMAND...: adds wall and CPU seconds, and peak KiB.
one() {
    local time=$1/time
    if [ "$5" = pipe ]; then
        { command time -f '%e %U %S %M' -o "$time" "${@:6}" 2>"$1/log" | cat >/dev/null; }
    else
        command time -f '%e %U %S %M' -o "$time" "${@:6}" >/dev/null 2>"$1/log"
    fi || { tail -5 "$1/log" >&2; return 1; }
    tail -1 "$time" | awk -v name="$2 $5 $3" '{ print name, $1, $2 + $3, $4 }' >>"$1/results"
}
by_xbkit() { # by_xbkit SOURCE: the command, in words
    words=("$XBKIT" backup -S "$1/sock" -u root --tmpdir "$1" --parallel 2)
}
by_mariabackup() { # by_mariabackup SOURCE [OPTION]...
    words=(mariabackup --no-defaults --backup --stream=xbstream --parallel=2 --socket="$1/sock"
        --user=root --datadir="$1/data" "${@:2}")
}
warm() { # warm SOURCE: mariabackup empties the cache of what it has read
    cat "$1"/data/ibdata1 "$1"/data/*/*.ibd >/dev/null
}
floor_direct() { # what copying the files without a look at them takes
    local file
    for file in "$1"/data/ibdata1 "$1"/data/*/*.ibd; do
        dd if="$file" bs=1M iflag=direct status=none
    done
}
floor_warm() {
    cat "$1"/data/ibdata1 "$1"/data/*/*.ibd
}
export -f floor_direct floor_warm

measure_walls() { # measure_walls DIR CASE SOURCE SINKS [OPTION OF MARIABACKUP]...
    local round sink source=$3 words case=$2 floor
    floor=floor_direct
    [ "$case" != warm ] || floor=floor_warm
    for ((round = 0; round < rounds; round++)); do
        for sink in $4; do
            [ "$case" != warm ] || warm "$source"
            by_xbkit "$source"
            one "$1" "$case" xbkit "$source" "$sink" "${words[@]}"
            [ "$case" != warm ] || warm "$source"
            by_mariabackup "$source" "${@:5}"
            one "$1" "$case" mariabackup "$source" "$sink" "${words[@]}"
            [ "$case" != small ] || continue
            [ "$case" != warm ] || warm "$source"
            one "$1" "$case" cat "$source" "$sink" bash -c "$floor \"\$1\"" floor "$source"
        done
    done
}

transfers() { sql "$1" "SELECT IFNULL(MAX(id), 0) FROM load_t.ledger"; }
# during DIR SOURCE NAME COMMAND...: transfers a second while it runs again and again for 5 s
during() {
    local begin start now
    begin=$(transfers "$2") start=$(date +%s%N)
    while now=$(date +%s%N) && [ $((now - start)) -lt 5000000000 ]; do
        "${@:4}" >/dev/null 2>"$1/log" || { tail -5 "$1/log" >&2; return 1; }
    done
    echo "load - $3 $((($(transfers "$2") - begin) * 1000000000 / (now - start)))" >>"$1/results"
}
# Milliseconds from asking for each stage to the end, of the last backup.
stages() { # stages DIR SOURCE NAME
    sql "$2" "SELECT 'stage', REPLACE(b.sql_text, 'BACKUP STAGE ', ''), '$3',
            ROUND((MAX(e.timer_end) - MAX(b.timer_start)) / 1e9, 1)
        FROM performance_schema.events_statements_history_long b
        JOIN performance_schema.events_statements_history_long e ON e.sql_text = 'BACKUP STAGE END'
        WHERE b.sql_text IN ('BACKUP STAGE FLUSH', 'BACKUP STAGE BLOCK_DDL', 'BACKUP STAGE BLOCK_COMMIT')
        GROUP BY b.sql_text" performance_schema | tr '\t' ' ' >>"$1/results"
    sql "$2" "TRUNCATE events_statements_history_long" performance_schema
}
measure_load() { # measure_load DIR SOURCE
    local round words
    load_start "$2" w_bank
    for ((round = 0; round < (rounds + 1) / 2; round++)); do
        during "$1" "$2" nothing sleep 1
        by_xbkit "$2"
        during "$1" "$2" xbkit "${words[@]}"
        stages "$1" "$2" xbkit
        by_mariabackup "$2"
        during "$1" "$2" mariabackup "${words[@]}"
        stages "$1" "$2" mariabackup
    done
    load_stop "$2"
}

measure() { # measure DIR PART
    local big=$1/big small=$1/small
    case $2 in
    direct)
        server_up "$big" --innodb-flush-method=O_DIRECT
        measure_walls "$1" direct "$big" "pipe null"
        server_down "$big"
        ;;
    warm)
        server_up "$big" --innodb-flush-method=fsync
        measure_walls "$1" warm "$big" "pipe null" --innodb-flush-method=fsync
        server_down "$big"
        ;;
    load)
        mkdir -p "$big/binlog"
        server_up "$big" --log-bin="$big/binlog/bin" --binlog-format=ROW --server-id=1 --performance-schema=ON \
            --performance-schema-instrument='statement/%=OFF' \
            --performance-schema-instrument='statement/abstract/%=ON' --performance-schema-instrument='statement/sql/backup=ON' \
            --performance-schema-consumer-events-statements-current=ON \
            --performance-schema-consumer-events-statements-history-long=ON
        sql "$big" "REPLACE INTO load_t.ctl VALUES (1, 1)"
        measure_load "$1" "$big"
        server_down "$big"
        ;;
    small)
        server_up "$small"
        rounds=$(((rounds + 1) / 2)) measure_walls "$1" small "$small" null --open-files-limit="$(ulimit -Hn)"
        server_down "$small"
        ;;
    *) echo "no such part: $2" >&2; return 1 ;;
    esac
}

report() { # report DIR
    awk -v megabytes="$(du -sm "$1/big/data" | cut -f1)" -v tables="$(cat "$1/tables")" '
        function sorted(list, n,   v, i, j, t) {
            n = split(list, v, " ")
            for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j] + 0 < v[j - 1] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
            low = v[1]; high = v[n]
            return (v[int((n + 1) / 2)] + v[int(n / 2) + 1]) / 2
        }
        $1 == "load" || $1 == "stage" { of[$1 " " $2 " " $3] = of[$1 " " $2 " " $3] " " $4; next }
        { k = $1 " " $2 " " $3; wall[k] = wall[k] " " $4; cpu[k] = cpu[k] " " $5; peak[k] = peak[k] " " $6 }
        END {
            print "| case | program | wall s | from–to | of mariabackup’s | CPU s | of mariabackup’s | peak MiB |"
            print "|---|---|---:|---:|---:|---:|---:|---:|"
            what["direct"] = "O_DIRECT, idle"; what["warm"] = "fsync, cache warm"; what["small"] = tables " small tables, O_DIRECT"
            n = split("direct warm small", cases, " ")
            for (i = 1; i <= n; i++) for (s = 1; s <= 2; s++) {
                sink = s == 1 ? "pipe" : "null"
                m = cases[i] " " sink " mariabackup"
                if (!(m in wall)) continue
                mw = sorted(wall[m]); mc = sorted(cpu[m])
                split("xbkit mariabackup cat", programs, " ")
                for (p = 1; p <= 3; p++) {
                    k = cases[i] " " sink " " programs[p]
                    if (!(k in wall)) continue
                    w = sorted(wall[k]); from = low; to = high; c = sorted(cpu[k])
                    name = programs[p] == "cat" && cases[i] == "direct" ? "dd" : programs[p]
                    printf "| %s, %s | %s | %.2f | %.2f–%.2f | %.2f | %.2f | %.2f | %d |\n", what[cases[i]], (sink == "null" ? "/dev/null" : sink), name, w, from, to, w / mw, c, c / mc, sorted(peak[k]) / 1024
                }
            }
            if (("load - xbkit") in of) {
                print "\n| backups back to back | transfers a second | from–to | of mariabackup’s |"
                print "|---|---:|---:|---:|"
                m = sorted(of["load - mariabackup"])
                split("nothing xbkit mariabackup", programs, " ")
                for (p = 1; p <= 3; p++) {
                    v = sorted(of["load - " programs[p]])
                    printf "| %s | %d | %d–%d | %.2f |\n", (programs[p] == "nothing" ? "none" : programs[p]), v, low, high, (m ? v / m : 0)
                }
                print "\n| held until the end, ms | xbkit | from–to | mariabackup | from–to |"
                print "|---|---:|---:|---:|---:|"
                n = split("FLUSH BLOCK_DDL BLOCK_COMMIT", stage, " ")
                for (i = 1; i <= n; i++) {
                    x = sorted(of["stage " stage[i] " xbkit"]); xl = low; xh = high
                    m = sorted(of["stage " stage[i] " mariabackup"])
                    printf "| %s | %.1f | %.1f–%.1f | %.1f | %.1f–%.1f |\n", stage[i], x, xl, xh, m, low, high
                }
            }
            printf "\n%d MB of data, medians.\n", megabytes
        }' "$1/results"
}

case ${1:-all} in
all)
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbbench.XXXXXX")
    make_data "$scratch"
    for part in direct warm load small; do measure "$scratch" $part; done
    report "$scratch"
    ;;
make) mkdir -p "$2" && make_data "$(realpath "$2")" ;;
measure) for part in "${@:3}"; do measure "$(realpath "$2")" "$part"; done ;;
report) report "$2" ;;
*) sed -n 's/^#   //p' "$0" >&2; exit 1 ;;
esac
