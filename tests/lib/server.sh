# shellcheck shell=bash
# Private MariaDB servers for scripts. Source this, then call server_cleanup from the exit trap.
#
# A server listens on a socket of its own below /tmp, on no network port, and reads no option file.
# One runs at a time. Variables: SERVER_OPTIONS (array, for every server of the script).

SERVER_PID=
SERVER_RUN=
SERVER_LOG=
SERVER_OPTIONS=()

server_is_there() {
    local program
    for program in mariadbd mariadb-install-db mariadb; do
        if ! PATH=$PATH:/usr/sbin command -v $program >/dev/null; then
            echo "server: $program is not installed" >&2
            return 1
        fi
    done
}

# A server refuses to run as root unless told; anyone else must not name a user at all.
server_user() {
    [ "$(id -u)" != 0 ] || echo --user=root
}

# server_init DIR: a new data directory with its system tables. The log is DIR.log.
server_init() {
    local dir=$1
    # shellcheck disable=SC2046
    mariadb-install-db --no-defaults --datadir="$dir" --auth-root-authentication-method=normal \
        --skip-test-db --skip-name-resolve $(server_user) "${SERVER_OPTIONS[@]}" >"$dir.log" 2>&1 || {
        echo "server: mariadb-install-db gives up on $dir:" >&2
        tail -20 "$dir.log" >&2
        return 1
    }
}

# server_start DIR: starts a server on DIR and returns when it answers.
server_start() {
    local dir=$1 deadline
    [ -z "$SERVER_PID" ] || { echo "server: one is running already" >&2; return 1; }
    SERVER_LOG=$dir.log
    # A socket's path may have 107 bytes; a scratch directory below a long TMPDIR has more.
    SERVER_RUN=$(mktemp -d /tmp/xbkit-run.XXXXXX)
    # shellcheck disable=SC2046
    PATH=$PATH:/usr/sbin mariadbd --no-defaults --datadir="$dir" --socket="$SERVER_RUN/sock" \
        --pid-file="$SERVER_RUN/pid" --tmpdir="$SERVER_RUN" --skip-networking --skip-log-bin \
        $(server_user) "${SERVER_OPTIONS[@]}" >>"$SERVER_LOG" 2>&1 </dev/null &
    SERVER_PID=$!
    deadline=$(($(date +%s) + 120))
    until server_sql 'SELECT 1' >/dev/null 2>&1; do
        if ! kill -0 $SERVER_PID 2>/dev/null || [ "$(date +%s)" -ge $deadline ]; then
            echo "server: mariadbd on $dir does not answer:" >&2
            tail -20 "$SERVER_LOG" >&2
            return 1
        fi
        sleep 0.1
    done
}

# server_client [OPTION]...: a client's run; statements on stdin, or by --execute.
server_client() {
    mariadb --no-defaults --socket="$SERVER_RUN/sock" --user=root --batch --skip-column-names \
        --default-character-set=utf8mb4 "$@"
}

# server_sql SQL [DATABASE]: result rows on stdout, fields separated by tabs.
server_sql() {
    server_client --execute="$1" "${@:2}" </dev/null
}

# server_stop: a clean shutdown. Fails if the server does not end well.
server_stop() {
    local status=0
    server_sql SHUTDOWN || return 1
    wait "$SERVER_PID" || status=$?
    SERVER_PID=
    rm -rf "$SERVER_RUN"
    [ $status = 0 ] || {
        echo "server: mariadbd ended with status $status:" >&2
        tail -20 "$SERVER_LOG" >&2
        return 1
    }
}

# server_cleanup: ends whatever still runs. For the exit trap.
server_cleanup() {
    if [ -n "$SERVER_PID" ]; then
        kill -9 "$SERVER_PID" 2>/dev/null || true
        wait "$SERVER_PID" 2>/dev/null || true
        SERVER_PID=
    fi
    [ -z "$SERVER_RUN" ] || rm -rf "$SERVER_RUN"
}

# server_tables: every base table as `db`.`table`, a line each, in a fixed order.
server_tables() {
    server_sql "SELECT CONCAT('\`', REPLACE(table_schema, '\`', '\`\`'), '\`.\`',
                              REPLACE(table_name, '\`', '\`\`'), '\`')
                FROM information_schema.tables
                WHERE table_type IN ('BASE TABLE', 'SEQUENCE')
                  AND table_schema NOT IN ('information_schema', 'performance_schema')
                ORDER BY 1"
}

# server_checksums: CHECKSUM TABLE of every table, and all that has no checksum: databases, views,
# routines, triggers, events, and the definition of each table.
server_checksums() {
    local tables
    tables=$(server_tables)
    server_sql "CHECKSUM TABLE $(paste -sd, <<<"$tables") EXTENDED"
    server_sql "SELECT 'database', schema_name, default_collation_name
                FROM information_schema.schemata ORDER BY 2;
                SELECT 'view', table_schema, table_name, MD5(view_definition)
                FROM information_schema.views WHERE table_schema <> 'sys' ORDER BY 2, 3;
                SELECT 'routine', routine_schema, routine_name, MD5(routine_definition)
                FROM information_schema.routines WHERE routine_schema <> 'sys' ORDER BY 2, 3;
                SELECT 'trigger', trigger_schema, trigger_name, MD5(action_statement)
                FROM information_schema.triggers WHERE trigger_schema <> 'sys' ORDER BY 2, 3;
                SELECT 'columns', table_schema, table_name,
                       MD5(GROUP_CONCAT(column_name, column_type ORDER BY ordinal_position))
                FROM information_schema.columns
                WHERE table_schema NOT IN ('information_schema', 'performance_schema')
                GROUP BY 2, 3 ORDER BY 2, 3"
}

# server_check: CHECK TABLE of every table; prints those that are not well, and then fails.
server_check() {
    local bad
    bad=$(server_sql "CHECK TABLE $(server_tables | paste -sd,) EXTENDED" |
        awk -F '\t' '$3 == "error" || $3 == "Error" || $3 == "warning" || ($3 == "status" && $4 != "OK")')
    [ -z "$bad" ] || { printf 'server: CHECK TABLE says:\n%s\n' "$bad" >&2; return 1; }
}
