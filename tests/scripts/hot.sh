#!/bin/bash
# Hot backups of a private MariaDB server under load: a covering table of what servers, tables,
# writers and ways of restoring there are. Each row is proven: tables checked, sums constant, and
# the source's binary log, replayed from the recorded position, gives equal checksums everywhere.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export XBKIT=${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}
PATH=$PATH:/usr/sbin
for program in mariadbd mariadb-install-db mariadb mariadb-binlog mariabackup mbstream openssl; do
    command -v $program >/dev/null || { echo "hot: $program is not installed" >&2; exit 77; }
done

failed=0
row() { # row NAME SETTING=VALUE...
    [[ $1 == *"${ROW:-}"* ]] || return 0
    if [[ $* == *@PLUGINS@* && ! -e .plugins/file_key_management.so ]]; then
        echo "row $1: SKIPPED, as file_key_management.so is not there"
        [ "${XBK_REQUIRE_PEERS:-0}" != 1 ] || failed=$((failed + 1))
        return 0
    fi
    if [[ $* == *VERSION=11.8* && ! -e .servers/11.8/made-by ]]; then
        echo "row $1: SKIPPED, as MariaDB 11.8 is not there"
        [ "${XBK_REQUIRE_PEERS:-0}" != 1 ] || failed=$((failed + 1))
        return 0
    fi
    env "${@:2}" tests/hot/row.sh "$1" || failed=$((failed + 1))
}

keys='--plugin-dir=@PLUGINS@ --plugin-load-add=file_key_management --loose-file-key-management --loose-file-key-management-filename=@DIR@/keys'
encrypt="$keys --innodb-encrypt-tables=ON --innodb-encrypt-log=ON --innodb-encryption-threads=2 --innodb-encryption-rotate-key-age=1"

row "usual" BACKUP="--parallel=4"
row "pages of 4 KiB, undo tablespaces, lazy log" RESTORE=mariabackup BACKUP="--parallel=2" \
    OPTIONS="--innodb-page-size=4k --innodb-undo-tablespaces=3 --innodb-undo-log-truncate=ON --innodb-max-undo-log-size=10M --innodb-flush-log-at-trx-commit=0 --innodb-flush-log-at-timeout=30"
# Tables that neither large pages nor one tablespace for all can have.
plain="s/ROW_FORMAT=COMPRESSED//; s/PAGE_COMPRESSED=1//; s/DATA DIRECTORY=.*;/;/"
row "pages of 64 KiB, buffered" RESTORE=prepare SCHEMA_EDIT="$plain" BACKUP="--parallel=2" \
    OPTIONS="--innodb-page-size=64k --innodb-flush-method=fsync --innodb-log-file-buffering=ON"
home="s/DATA DIRECTORY=.*;/;/" # an encrypted log has no table elsewhere
row "encrypted" RESTORE=prepare SCHEMA_EDIT="$home" OPTIONS="$encrypt --aria-encrypt-tables=ON"
row "encrypted, checksums of before 10.5" RESTORE=mariabackup SCHEMA_EDIT="$home" OPTIONS="$encrypt --innodb-checksum-algorithm=crc32"
refused=
[ -n "${ROW:-}" ] || refused=$(env OPTIONS="$encrypt" tests/hot/row.sh "encrypted, with a table elsewhere" 2>&1)
if [ -z "${ROW:-}" ] && [ -e .plugins/file_key_management.so ] && [[ $refused != *"this is not supported together"* ]]; then
    printf 'a table elsewhere and an encrypted log are not refused:\n%s\n' "$refused" >&2
    failed=$((failed + 1))
fi
row "checksums of before 10.5" BACKUP="--parallel=2" OPTIONS="--innodb-checksum-algorithm=crc32"
row "directories elsewhere" \
    OPTIONS="--innodb-data-home-dir=@DIR@/home --innodb-undo-directory=@DIR@/undo --innodb-log-group-home-dir=@DIR@/log --innodb-data-file-path=ibdata1:12M;ibdata2:12M:autoextend --innodb-undo-tablespaces=2"
row "one tablespace for all" RESTORE=mariabackup SCHEMA_EDIT="$plain" OPTIONS="--innodb-file-per-table=0" LOADS="w_bank w_many"
row "distributed transactions" XA_HELD=1 LOADS="w_bank w_xa" SCHEMA_EDIT="$home" OPTIONS="--innodb-flush-log-at-trx-commit=2"
row "no binary log" NO_BINLOG=1 BACKUP="--parallel=2"
row "an idle server" LOADS=
row "slowed down, and its log goes round" BACKUP="--throttle=20M" OPTIONS="--innodb-log-file-size=8M"
row "by innobackupex, as typed" BY=innobackupex RESTORE=dropin
row "by mariabackup, into a directory" BY=mariabackup-dir RESTORE=prepare
row "made by the real mariabackup" BY=mariabackup RESTORE=prepare LOADS="w_bank w_many" \
    SCHEMA_EDIT="s/DATA DIRECTORY=.*;/;/"
row "strict checksums, small write-ahead" RESTORE=prepare OPTIONS="--innodb-checksum-algorithm=strict_full_crc32 --innodb-log-write-ahead-size=512"

# What MariaDB 11.8 does otherwise: its collations, three undo tablespaces, the cache of its binary
# log in files, the names of metadata. Its own mariabackup is the peer here.
row "11.8, its binary log among the data" VERSION=11.8 RESTORE=mariabackup BACKUP="--parallel=4" LOG_AMONG_DATA=1 \
    OPTIONS="--binlog-cache-size=4096"
row "11.8, its log goes round" VERSION=11.8 BACKUP="--throttle=20M" OPTIONS="--innodb-log-file-size=8M"
row "11.8, pages of 4 KiB, lazy log" VERSION=11.8 RESTORE=mariabackup BACKUP="--parallel=2" \
    OPTIONS="--innodb-page-size=4k --innodb-undo-log-truncate=ON --innodb-max-undo-log-size=10M --innodb-flush-log-at-trx-commit=0 --innodb-flush-log-at-timeout=30"
row "11.8, pages of 64 KiB, buffered" VERSION=11.8 RESTORE=prepare SCHEMA_EDIT="$plain" BACKUP="--parallel=2" \
    OPTIONS="--innodb-page-size=64k --innodb-flush-method=fsync --innodb-log-file-buffering=ON"
row "11.8, encrypted" VERSION=11.8 RESTORE=prepare SCHEMA_EDIT="$home" \
    OPTIONS="$encrypt --innodb-checksum-algorithm=crc32 --aria-encrypt-tables=ON"
row "11.8, by innobackupex, as typed" VERSION=11.8 BY=innobackupex RESTORE=dropin
row "11.8, made by the real mariabackup" VERSION=11.8 BY=mariabackup RESTORE=prepare LOADS="w_bank w_many" \
    SCHEMA_EDIT="s/DATA DIRECTORY=.*;/;/"

[ $failed = 0 ] || { echo "hot: $failed rows failed" >&2; exit 1; }
