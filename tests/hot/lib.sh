# shellcheck shell=bash
# Rounds of hot backups: a source under load, a backup, a restored copy, and the proof that the copy
# is the source as it was at the recorded position. Source this, then call round_cleanup from the trap.
#
# Several servers run at once, each below /tmp with a socket of its own and no network.

declare -A SERVER_PIDS=()
ROUND_OPTIONS=()  # for every server of the round
SOURCE_OPTIONS=() # for the source alone
LOAD_PIDS=()

have_servers() {
    local program
    for program in mariadbd mariadb-install-db mariadb mariadb-binlog; do
        PATH=$PATH:/usr/sbin command -v $program >/dev/null || { echo "$program is not installed" >&2; return 1; }
    done
}

as_user() {
    [ "$(id -u)" != 0 ] || echo --user=root
}

# source_init DIR: a new data directory DIR/data.
source_init() {
    mkdir -p "$1"
    # shellcheck disable=SC2046
    TMPDIR=$1 mariadb-install-db --no-defaults --datadir="$1/data" --auth-root-authentication-method=normal \
        --skip-test-db --skip-name-resolve $(as_user) "${ROUND_OPTIONS[@]}" >"$1/install.log" 2>&1 || {
        tail -20 "$1/install.log" >&2
        return 1
    }
}

# server_up DIR [OPTION]...: a server on DIR/data, with its socket in DIR/sock.
server_up() {
    local dir=$1 tries=0
    # shellcheck disable=SC2046
    PATH=$PATH:/usr/sbin mariadbd --no-defaults --datadir="$dir/data" --socket="$dir/sock" \
        --pid-file="$dir/pid" --tmpdir="$dir" --skip-networking --skip-name-resolve \
        $(as_user) "${ROUND_OPTIONS[@]}" "${@:2}" >>"$dir/log" 2>&1 </dev/null &
    SERVER_PIDS[$dir]=$!
    # Tries are counted, not seconds: the machine may sleep, and this with it.
    until sql "$dir" 'SELECT 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        if ! kill -0 "${SERVER_PIDS[$dir]}" 2>/dev/null || [ $tries -gt 1200 ]; then
            echo "mariadbd on $dir does not answer:" >&2
            tail -30 "$dir/log" >&2
            return 1
        fi
        sleep 0.05
    done
}

# A port on loopback that nobody listens on.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
    done
}

client() { # client DIR [OPTION]...
    mariadb --no-defaults --socket="$1/sock" --user=root --batch --skip-column-names "${@:2}"
}

sql() { # sql DIR STATEMENTS [DATABASE]
    client "$1" --execute="$2" "${@:3}" </dev/null
}

server_down() {
    sql "$1" SHUTDOWN || return 1
    wait "${SERVER_PIDS[$1]}" || { tail -20 "$1/log" >&2; return 1; }
    unset "SERVER_PIDS[$1]"
}

server_kill() {
    [ -n "${SERVER_PIDS[$1]:-}" ] || return 0
    kill -9 "${SERVER_PIDS[$1]}" 2>/dev/null
    wait "${SERVER_PIDS[$1]}" 2>/dev/null
    unset "SERVER_PIDS[$1]"
}

round_cleanup() {
    local dir
    for dir in "${!SERVER_PIDS[@]}"; do server_kill "$dir"; done
    LOAD_PIDS=()
}

# load_start DIR PROCEDURE...: each on a connection of its own.
load_start() {
    local procedure
    for procedure in "${@:2}"; do
        client "$1" load_t --execute="CALL $procedure()" >"$1/load-$procedure.log" 2>&1 </dev/null &
        LOAD_PIDS+=($!)
    done
}

# load_stop DIR: lets the writers end; fails if one ended before, by an error.
load_stop() {
    local pid status=0
    sql "$1" 'SET sql_log_bin = 0; UPDATE load_t.ctl SET go = 0' || status=1
    for pid in "${LOAD_PIDS[@]}"; do wait "$pid" || status=1; done
    LOAD_PIDS=()
    [ $status = 0 ] || { cat "$1"/load-*.log >&2; return 1; }
}

tables() { # tables DIR: all base tables as `db`.`table`
    sql "$1" "SELECT CONCAT('\`', table_schema, '\`.\`', table_name, '\`') FROM information_schema.tables
        WHERE table_type IN ('BASE TABLE', 'SEQUENCE') AND engine <> 'MEMORY'
          AND table_schema NOT IN ('information_schema', 'performance_schema')
          AND NOT (table_schema = 'mysql' AND table_name IN ('innodb_table_stats', 'innodb_index_stats',
               'general_log', 'slow_log', 'gtid_slave_pos', 'transaction_registry'))
        ORDER BY 1"
}

checksums() { # checksums DIR
    sql "$1" "CHECKSUM TABLE $(tables "$1" | paste -sd,) EXTENDED; SHOW DATABASES"
}

# check_copy DIR: every table is well, and the bank's sum is what it always is.
check_copy() {
    local bad sum
    bad=$(sql "$1" "CHECK TABLE $(tables "$1" | paste -sd,) EXTENDED" |
        awk -F '\t' '$3 == "error" || $3 == "Error" || $3 == "warning" || ($3 == "status" && $4 != "OK" && $4 !~ /^Table is already/)' |
        grep -v 'client is using or hasn.t closed the table properly' || true)
    [ -z "$bad" ] || { printf 'CHECK TABLE says:\n%s\n' "$bad" >&2; return 1; }
    sum=$(sql "$1" 'SELECT SUM(amount) FROM load_t.bank')
    [ "$sum" = 4000000 ] || { echo "the bank holds $sum, not 4000000" >&2; return 1; }
    if grep -a '\[ERROR\]' "$1/log" | grep -v 'was not found\b.*#sql' >&2; then
        echo "the server on the copy reports errors" >&2
        return 1
    fi
}

# replay SOURCE COPY FILE OFFSET: runs the source's binary log from a position on, on the copy.
replay() {
    local source=$1 copy=$2 file=$3 offset=$4
    # shellcheck disable=SC2046
    (cd "$source/binlog" && mariadb-binlog --no-defaults --disable-log-bin --start-position="$offset" \
        $(sed 's,.*/,,' *.index | awk -v first="$file" '$0 == first { on = 1 } on')) >"$copy/replay.sql" || return 1
    client "$copy" --binary-mode <"$copy/replay.sql"
}

# prove SOURCE COPY: the copy, which runs, becomes the source by its binary log.
prove() {
    local source=$1 copy=$2 file offset rest
    check_copy "$copy" || return 1
    read -r file offset rest < <(cat "$copy"/data/{xtrabackup,mariadb_backup}_binlog_info 2>/dev/null)
    [ -n "$file" ] || { echo "the copy has no position" >&2; return 1; }
    replay "$source" "$copy" "$file" "$offset" || return 1
    checksums "$source" >"$source/sums"
    checksums "$copy" >"$copy/sums"
    diff "$source/sums" "$copy/sums" || { echo "the copy at $file $offset is not the source" >&2; return 1; }
}

# The program under test, and a directory with its drop-in names first in PATH when asked for.
XBKIT=${XBKIT:-$(dirname "${BASH_SOURCE[0]}")/../../target/debug/xbkit}
HOT_DIR=$(dirname "${BASH_SOURCE[0]}")

# source_under_load DIR PROCEDURE...: a server with all tables, being written to.
source_under_load() {
    local dir=$1 before
    mkdir -p "$dir/binlog" "$dir/outside"
    [ -d "$dir/data/mysql" ] || source_init "$dir" || return 1
    local -a log=(--log-bin="$dir/binlog/bin" --binlog-format=ROW --server-id=1)
    [ -z "${NO_BINLOG:-}" ] || log=()
    server_up "$dir" "${log[@]}" "${SOURCE_OPTIONS[@]}" || return 1
    sed "s,@OUTSIDE@,$dir/outside,; ${SCHEMA_EDIT:-}" "$HOT_DIR/schema.sql" | client "$dir" || return 1
    load_start "$dir" "${@:2}"
    # Until the writers have got somewhere; a log that goes round is what matters.
    before=$(lsn "$dir")
    [ $# = 1 ] || until [ $(($(lsn "$dir") - before)) -gt "${WARM:-4000000}" ]; do sleep 0.05; done
}

lsn() {
    sql "$1" "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_lsn_current'"
}

# back_up DIR STREAM [OPTION]...: by xbkit. One that takes long says what it and the server wait for.
back_up() {
    local pid watch status=0
    "$XBKIT" backup -S "$1/sock" -u root --tmpdir "$(dirname "$2")" "${@:3}" >"$2" 2>"$2.log" </dev/null &
    pid=$!
    {
        sleep 30
        for task in "/proc/$pid/task"/*; do echo "$(<"$task/comm"): $(<"$task/wchan")"; done
        sql "$1" "SHOW FULL PROCESSLIST; SHOW GLOBAL STATUS LIKE 'Innodb_lsn%'; SHOW ENGINE INNODB STATUS"
        sleep 60
        kill "$pid"
    } >"$2.watch" 2>&1 &
    watch=$!
    wait "$pid" || status=$?
    kill "$watch" 2>/dev/null
    wait "$watch" 2>/dev/null
    [ $status = 0 ] || cat "$2.log" "$2.watch" >&2
    return $status
}
