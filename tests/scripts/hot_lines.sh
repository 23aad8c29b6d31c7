#!/bin/bash
# The command lines of products that call backup programs, on a running server: each makes a backup
# that its reader takes, or is refused for the reason that stands here, with exit status 1.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
# shellcheck source=../hot/lib.sh
. tests/hot/lib.sh
XBKIT=$(realpath "$XBKIT")
have_servers || exit 77

scratch=$(mktemp -d "${TMPDIR:-/tmp}/xblines.XXXXXX")
trap 'status=$?; set +e; round_cleanup; rm -rf "$scratch"; exit $status' EXIT
trap 'exit 130' INT TERM HUP
source=$scratch/s
failed=0 lines=0 line=
mkdir "$scratch/bin" "$scratch/tmp"
"$XBKIT" link "$scratch/bin" >/dev/null || exit 1
source_init "$source" && server_up "$source" || exit 1
sql "$source" "CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, t CHAR(200)) ENGINE=InnoDB;
    INSERT INTO shop.item SELECT seq, REPEAT(seq, 9) FROM seq_1_to_2000;
    FLUSH TABLES shop.item FOR EXPORT; UNLOCK TABLES;
    CREATE USER u@localhost IDENTIFIED BY 'p'; GRANT ALL ON *.* TO u@localhost" mysql || exit 1
printf '[client]\nsocket=%s\nuser=u\npassword=p\n[mysqld]\nsocket=%s\n' "$source/sock" "$source/sock" >"$scratch/my.cnf"
head -c 32 /dev/zero | tr '\0' k >"$scratch/key"

no() {
    printf 'hot_lines: %s\n    %s\n' "$*" "$line" >&2
    sed 's/^/    | /' "$scratch/log" | tail -5 >&2
    failed=$((failed + 1))
}
# whole FILE...: they are there, and not empty.
whole() {
    local file
    for file in "$@"; do [ -s "$scratch/$file" ] || no "no $file"; done
}
# check FATE LINE: FATE is "stream" or "dir", what a whole backup of this line has, or "no" and the
# reason. @S@ is the socket, @T@ a new directory, @D@ the data directory.
check() {
    local fate=$1 status=0 words reason=
    line=$2
    lines=$((lines + 1))
    rm -rf "$scratch/t" "$scratch/x" "$scratch/lsn"
    mkdir "$scratch/x"
    line=${line//@S@/$source/sock} line=${line//@T@/$scratch/t} line=${line//@D@/$source/data}
    line=${line//@CNF@/$scratch/my.cnf} line=${line//@KEY@/$scratch/key} line=${line//@LSN@/$scratch/lsn}
    line=${line//@TMP@/$scratch/tmp}
    read -ra words <<<"$line"
    (cd "$scratch/tmp" && MYSQL_PWD=p HOME=$scratch timeout -k 10 60 "$scratch/bin/${words[0]}" "${words[@]:1}") \
        >"$scratch/stream" 2>"$scratch/log" </dev/null || status=$?
    if [[ $fate == no* ]]; then
        reason=${fate#no }
        [ $status = 1 ] || no "ends with $status, not 1"
        grep -qF -- "$reason" "$scratch/log" || no "does not say '$reason'"
        ! grep -q 'completed OK!' "$scratch/log" || no "says that it completed"
        [ ! -e "$scratch/lsn/xtrabackup_checkpoints" ] || no "left a checkpoints file"
        return
    fi
    [ $status = 0 ] || { no "ends with $status"; return; }
    [[ $(tail -1 "$scratch/log") == *"completed OK!" ]] || no "the last line is not the one that callers look for"
    case $fate in
    stream*) "$XBKIT" extract --no-decompress --no-decrypt -C "$scratch/x" <"$scratch/stream" 2>"$scratch/log" || no "its stream is not taken" ;;
    dir*) rmdir "$scratch/x" && mv "$scratch/t" "$scratch/x" || no "no directory" ;;
    esac
    # shellcheck disable=SC2086
    (cd "$scratch/x" && ls -d ${fate#* } >/dev/null) || no "lacks one of ${fate#* }: $(ls "$scratch/x" | paste -sd' ')"
}

plain="xtrabackup_checkpoints xtrabackup_info backup-my.cnf ib_logfile0 ibdata1 shop/item.ibd"

# Galera's scripts
check "stream $plain" "mariadb-backup --defaults-file=@CNF@ --defaults-group=mysqld --backup --no-version-check --parallel=4 --databases-exclude=lost+found --tmpdir=@TMP@ --user=u --socket=@S@ --use-memory=100M --stream=mbstream --target-dir=@TMP@ --datadir=@D@ --mysqld-args --wsrep_on=1 --basedir=/usr --skip-networking"
check "no is no node of a Galera cluster" "mariadb-backup --backup --user=u --socket=@S@ --galera-info --stream=mbstream --target-dir=@TMP@"
check "stream ib_logfile0.qp ibdata1.qp shop/item.ibd.qp" "mariadb-backup --backup --user=u --socket=@S@ --compress=quicklz --compress-threads=4 --compress-chunk-size=64K --stream=mbstream"
check "stream $plain" "mariadb-backup --backup --user=u --socket=@S@ --stream=tar --target-dir=@TMP@"
check "stream $plain" "innobackupex --defaults-file=@CNF@ --defaults-group=mysqld --no-version-check --tmpdir=@TMP@ --user=u --password=p --socket=@S@ --stream=xbstream @TMP@"
check "stream $plain" "xtrabackup --defaults-file=@CNF@ --defaults-group=mysqld --parallel=4 --user=u --password=p --socket=@S@ --lock-ddl --backup --stream=xbstream --xtrabackup-plugin-dir=/p --target-dir=@T@"
check "no keys of encrypted tablespaces" "xtrabackup --backup --user=u --socket=@S@ --transition-key=k --stream=xbstream --target-dir=@T@"
# Vitess
check "stream $plain" "xtrabackup --defaults-file=@CNF@ --backup --socket=@S@ --slave-info --user=u --target-dir=@T@ --stream=xbstream"
check "stream $plain" "xtrabackup --defaults-file=@CNF@ --backup --socket=@S@ --user=u --target-dir=@T@ --stream=tar"
# wal-g
check "stream $plain" "mariabackup --defaults-file=@CNF@ --backup --stream=xbstream --datadir=@D@ --extra-lsndir=@LSN@"
whole lsn/xtrabackup_checkpoints lsn/xtrabackup_info
for file in checkpoints info; do
    cmp "$scratch/lsn/xtrabackup_$file" "$scratch/x/xtrabackup_$file" || no "--extra-lsndir has another $file"
done
check "no incremental backups are not in this version" "xtrabackup --defaults-file=@CNF@ --backup --stream=xbstream --incremental-lsn=12345 --extra-lsndir=@LSN@"
# Operators for Kubernetes
check "no keys of encrypted tablespaces" "xtrabackup --backup --stream=xbstream --target-dir=/backup/ --socket=@S@ --user=u --password=p --generate-transition-key --keyring-vault-config=/k"
check "stream $plain" "xtrabackup --defaults-extra-file=@CNF@ --backup --stream=xbstream --slave-info --target-dir=/backup/ --databases-exclude=lost+found --user=u --password=p --component-keyring-config=/k"
check "stream ibdata1.xbcrypt shop/item.ibd.xbcrypt" "xtrabackup --backup --stream=xbstream --socket=@S@ --user=u --password=p --encrypt=AES256 --encrypt-key-file=@KEY@"
check "no partial backups are not in this version" "xtrabackup --backup --slave-info --stream=xbstream --tables-exclude=db\\.tbl --socket=@S@ --user=u --password=p --target-dir=@T@"
check "stream $plain" "mariadb-backup --socket=@S@ --user=u --password=p --backup --stream=xbstream --databases-exclude=lost+found --slave-info"
# OpenStack
check "stream $plain" "innobackupex --stream=xbstream --parallel=2 --user=u --password=p --socket=@S@ /var/lib/mysql"
check "stream $plain" "xtrabackup --backup --stream=xbstream --parallel=2 --datadir=@D@ --user=u --password=p --socket=@S@"
check "no incremental backups are not in this version" "innobackupex --stream=xbstream --parallel=2 --socket=@S@ --incremental --incremental-lsn=1 /var/lib/mysql"
check "no a history record in the server" "mariabackup --defaults-file=@CNF@ --backup --stream=mbstream --history=2026-01-01"
# KubeBlocks
check "stream $plain" "xtrabackup --backup --slave-info --lock-ddl-per-table --stream=xbstream --socket=@S@ --user=u --password=p --datadir=@D@"
check "stream $plain" "mariadb-backup --backup --slave-info --stream=mbstream --skip-ssl --socket=@S@ --user=u --datadir=@D@"
# Aiven
check "stream ibdata1.zst.xbcrypt shop/item.ibd.zst.xbcrypt" "xtrabackup --defaults-file=@CNF@ --backup --compress --compress-threads 4 --encrypt AES256 --encrypt-threads 4 --encrypt-key-file @KEY@ --no-version-check --parallel 4 --stream=xbstream --target-dir @T@ --extra-lsndir @LSN@ --register-redo-log-consumer --estimate-memory=ON"
whole lsn/xtrabackup_checkpoints lsn/xtrabackup_info
# twindb, Holland, AutoXtraBackup, Bareos
check "stream $plain" "mariabackup --defaults-file=@CNF@ --stream=xbstream --backup --target-dir . --no-backup-locks"
check "stream $plain" "mariadb-backup --defaults-file=@CNF@ --backup --stream=xbstream --tmpdir=@TMP@ --slave-info --no-lock --target-dir=@T@"
check "stream $plain" "innobackupex --defaults-file=@CNF@ --ibbackup=/usr/bin/xtrabackup --stream=xbstream --tmpdir=@TMP@ --strict=OFF --no-timestamp @T@"
check "stream $plain" "innobackupex --defaults-file=@CNF@ --stream=tar --tmpdir=@TMP@ --no-timestamp @T@"
check "stream ibdata1.zst shop/item.ibd.zst" "xtrabackup --defaults-file=@CNF@ --user=u --password=p --target-dir=@T@ --backup --socket=@S@ --compress=zstd --compress-chunk-size=65536 --compress-threads=4 --stream=xbstream"
check "no partial backups are not in this version" "xtrabackup --backup --socket=@S@ --databases=a --stream=xbstream"
# replication-manager, xtrabackup-manager, percona-docker, puppet-xtrabackup and others
check "stream $plain" "innobackupex --defaults-file=@CNF@ --socket=@S@ --slave-info --no-version-check --user=u --password=p --stream=xbstream /tmp"
check "stream $plain" "xtrabackup --defaults-file=@CNF@ --throttle=40 --login-path=x --stream=xbstream --backup"
check "stream $plain" "innobackupex --defaults-file=@CNF@ --no-lock --no-timestamp --incremental-force-scan --stream=xbstream @T@"
check "stream $plain" "innobackupex --defaults-extra-file=@CNF@ --no-version-check --stream=xbstream --parallel=2 @TMP@ --slave-info"
check "stream $plain" "mariabackup --innobackupex --defaults-file=@CNF@ --stream=xbstream ./"
check "stream $plain" "mariadb-backup --defaults-file=@CNF@ --backup --stream=xbstream --innodb_force_recovery=1 --loose-new-option=1 --binlog-info=auto"
check "stream $plain" "xtrabackup --defaults-file=@CNF@ --backup --stream=xbstream --kill-long-queries-timeout=20 --kill-long-query-type=all --ftwrl-wait-timeout=180 --ftwrl-wait-query-type=all --ftwrl-wait-threshold=20"
# Into a directory: as it is, and stored as asked.
check "dir $plain" "mariadb-backup --defaults-file=@CNF@ --backup --target-dir=@T@ --extra-lsndir=@LSN@"
cmp "$scratch/lsn/xtrabackup_info" "$scratch/x/xtrabackup_info" || no "--extra-lsndir has another info"
check "dir $plain" "innobackupex --defaults-file=@CNF@ --no-timestamp @T@"
check "dir ibdata1.qp ib_logfile0.qp shop/item.ibd.qp" "mariabackup --defaults-file=@CNF@ --backup --compress --target-dir=@T@"
[ ! -e "$scratch/x/ibdata1" ] || no "the directory has ibdata1, too"
line="mariabackup --decompress --remove-original --target-dir=$scratch/x"
# shellcheck disable=SC2086
"$scratch/bin/"$line 2>"$scratch/log" || no "what it stored is not decompressed"
whole x/ibdata1 x/ib_logfile0 x/shop/item.ibd
line="mariabackup --prepare --target-dir=$scratch/x"
# shellcheck disable=SC2086
"$scratch/bin/"$line 2>"$scratch/log" || no "the decompressed backup is not recovered"
check "dir ibdata1.zst.xbcrypt shop/item.ibd.zst.xbcrypt" "xtrabackup --defaults-file=@CNF@ --backup --compress --encrypt=AES256 --encrypt-key-file=@KEY@ --target-dir=@T@"
line="xtrabackup --prepare --target-dir=$scratch/x"
# shellcheck disable=SC2086
! "$scratch/bin/"$line 2>"$scratch/log" || no "an encrypted backup passes for one that can be recovered"
line="xtrabackup --decrypt=AES256 --encrypt-key-file=$scratch/key --decompress --remove-original --target-dir=$scratch/x"
# shellcheck disable=SC2086
"$scratch/bin/"$line 2>"$scratch/log" || no "what it stored is not decrypted"
whole x/ibdata1 x/ib_logfile0 x/shop/item.ibd

[ $failed = 0 ] || { echo "hot_lines: $failed failed, of $lines lines" >&2; exit 1; }
