#!/bin/bash
# Hot backups by TCP: with TLS, whose authority, host name and client certificate are checked, and
# without; passwords from a file, the environment and an option file.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
PATH=$PATH:/usr/sbin
have_servers && command -v openssl >/dev/null || exit 77

scratch=$(mktemp -d "${TMPDIR:-/tmp}/xbhot.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP
source=$scratch/s pki=$scratch/pki log=$scratch/log stream=$scratch/stream
failed=0 case=
no() {
    printf 'tls: %s: %s\n' "$case" "$*" >&2
    sed 's/^/    /' "$log" >&2
    failed=$((failed + 1))
}

# authority NAME; sign NAME AUTHORITY NAMES: a key and a certificate of an authority, for hosts of these names.
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -addext keyUsage=critical,keyCertSign -keyout "$pki/$1.key" -out "$pki/$1.pem" 2>/dev/null
}
sign() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$pki/$1.key" -out "$pki/$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$3" >"$pki/$1.ext"
    openssl x509 -req -in "$pki/$1.csr" -days 2 -CA "$pki/$2.pem" -CAkey "$pki/$2.key" -CAcreateserial \
        -extfile "$pki/$1.ext" -out "$pki/$1.pem" 2>/dev/null
}
mkdir "$pki"
authority ca && authority stranger && sign server ca DNS:localhost,IP:127.0.0.1 && sign client ca DNS:client || exit 1

port=$(free_port)
ROUND_OPTIONS=(--innodb-log-file-size=10M --innodb-buffer-pool-size=32M)
SOURCE_OPTIONS=(--skip-networking=0 --bind-address=127.0.0.1,127.0.0.2 --port="$port"
    --ssl-ca="$pki/ca.pem" --ssl-cert="$pki/server.pem" --ssl-key="$pki/server.key")
source_under_load "$source" || exit 1
for name in plain safe shown; do
    sql "$source" "CREATE USER $name@'127.0.0.1' IDENTIFIED BY 'pass $name';
        GRANT RELOAD, BINLOG MONITOR ON *.* TO $name@'127.0.0.1'"
done
sql "$source" "ALTER USER safe@'127.0.0.1' REQUIRE SSL; ALTER USER shown@'127.0.0.1' REQUIRE X509"
mkdir "$scratch/bin" && "$XBKIT" link "$scratch/bin" >/dev/null || exit 1
host=127.0.0.1
tcp=(--port="$port" --tmpdir="$scratch")

ours() { "$XBKIT" backup --host=$host "${tcp[@]}" "$@" >"$stream" 2>"$log" </dev/null; }
theirs() { "$scratch/bin/mariabackup" --no-defaults --backup --stream=xbstream --host=$host "${tcp[@]}" "$@" >"$stream" 2>"$log" </dev/null; }
does() { # does NAME COMMAND...: makes a whole backup
    case=$1
    "${@:2}" || no "fails"
    "$XBKIT" verify --require-backup <"$stream" >/dev/null 2>>"$log" || no "its stream is not whole"
}
refuses() { # refuses NAME SENTENCE COMMAND...
    case=$1
    "${@:3}" && no "is not refused"
    grep -Eqi "$2" "$log" || no "does not say '$2'"
    [ ! -s "$stream" ] || no "there is a stream"
}

echo "pass plain" >"$scratch/plain.pw"
echo "pass safe" >"$scratch/safe.pw"
does "no TLS, password from a file" ours -u plain --password-file "$scratch/plain.pw"
export XBKIT_PASSWORD="pass plain"
does "password from the environment" ours -u plain
unset XBKIT_PASSWORD
export MYSQL_PWD="pass plain"
does "password from the environment, as clients have it" theirs --user=plain
unset MYSQL_PWD
printf '[client]\nuser=plain\npassword="pass plain"\nhost=127.0.0.1\nport=%s\n' "$port" >"$scratch/my.cnf"
rm "$stream"
by_file() { "$XBKIT" backup --defaults-file "$scratch/my.cnf" --tmpdir "$scratch" --output "$stream" 2>"$log" </dev/null; }
does "all from an option file" by_file
case="all from an option file, by a drop-in name"
"$scratch/bin/mariabackup" --defaults-file="$scratch/my.cnf" --backup --stream=xbstream --tmpdir="$scratch" >"$stream" 2>"$log" || no "fails"
refuses "a wrong password" "refuses the login" ours -u plain --password-file "$scratch/safe.pw"
refuses "TLS is required and not used" "refuses the login" ours -u safe --password-file "$scratch/safe.pw"

safe=(-u safe --password-file "$scratch/safe.pw")
does "an authority that is trusted" ours "${safe[@]}" --tls-ca "$pki/ca.pem"
refuses "an authority that is not trusted" "certificate" ours "${safe[@]}" --tls-ca "$pki/stranger.pem"
refuses "no authority is named, and the server's is not a known one" "certificate" ours "${safe[@]}" --tls
host=127.0.0.2 # which the certificate does not name
refuses "another host's certificate" "certificate" ours "${safe[@]}" --tls-ca "$pki/ca.pem"
host=127.0.0.1
does "not checked" ours "${safe[@]}" --tls-no-verify
refuses "a certificate is required and not shown" "refuses the login" ours -u shown --password-file <(echo "pass shown") --tls-ca "$pki/ca.pem"
does "a certificate is shown" ours -u shown --password-file <(echo "pass shown") --tls-ca "$pki/ca.pem" \
    --tls-cert "$pki/client.pem" --tls-key "$pki/client.key"

safe=(--user=safe --password="pass safe")
does "--ssl-ca" theirs "${safe[@]}" --ssl-ca="$pki/ca.pem"
does "--ssl-ca --ssl-verify-server-cert" theirs "${safe[@]}" --ssl-ca="$pki/ca.pem" --ssl-verify-server-cert
does "--ssl" theirs "${safe[@]}" --ssl
refuses "--ssl --ssl-verify-server-cert" "certificate" theirs "${safe[@]}" --ssl --ssl-verify-server-cert
refuses "--ssl-ca of a stranger" "certificate" theirs "${safe[@]}" --ssl-ca="$pki/stranger.pem"
does "--ssl-cert --ssl-key" theirs --user=shown --password="pass shown" --ssl-ca="$pki/ca.pem" --ssl-cert="$pki/client.pem" --ssl-key="$pki/client.key"
case="secrets"
"$XBKIT" cat xtrabackup_info <"$stream" | grep "pass shown" && no "a password is in the stream"

[ $failed = 0 ] || { echo "hot_tls: $failed failures" >&2; exit 1; }
echo "hot_tls: each connection was taken or refused as it should be"
