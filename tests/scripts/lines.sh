#!/bin/bash
# The lines of the manual page, as they are written there, over a real data directory: the names are
# links on PATH, the directory is named by the server's own option files, hosts are those of a
# private network, and /data/backups is there.
#
# Each line's result is compared with the directory, file by file; each failure at either end of a
# pipe has to be noticed by ours.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=../lib/world.sh
. tests/lib/world.sh
# shellcheck source=../lib/ssh.sh
. tests/lib/ssh.sh
# shellcheck source=../lib/server.sh
. tests/lib/server.sh

XBKIT=$(realpath "${XBKIT:-${CARGO_TARGET_DIR:-target}/debug/xbkit}")
export XBKIT
[ -x "$XBKIT" ] || { echo "lines: $XBKIT is not there" >&2; exit 1; }
for program in gzip openssl pv tar ncat nc.openbsd; do
    command -v $program >/dev/null || { echo "lines: $program is not installed" >&2; exit 77; }
done
server_is_there || exit 77
world_enter "$0" "$@"

fail() {
    echo "lines: $*" >&2
    exit 1
}
trap server_cleanup EXIT

# The world: names on PATH, a stopped server's directory, hosts, and a place for backups.
"$XBKIT" link --force /usr/local/bin >/dev/null
ln -sf "$XBKIT" /usr/local/bin/xbkit
world_host desthost
ssh_start desthost
mkdir -p /data/backups /root/work /etc/mysql/conf.d
SERVER_OPTIONS=(--innodb-log-file-size=8M --innodb-buffer-pool-size=32M --innodb-stats-auto-recalc=0)
source=/var/lib/shop
server_init $source
server_start $source
server_sql "CREATE DATABASE shop"
server_sql "CREATE TABLE shop.item (id INT PRIMARY KEY, t CHAR(200)) ENGINE=InnoDB;
    INSERT INTO shop.item SELECT seq, SHA2(seq, 512) FROM seq_1_to_60000;
    CREATE TABLE shop.old (id INT PRIMARY KEY, t CHAR(40)) ENGINE=MyISAM;
    INSERT INTO shop.old SELECT seq, MD5(seq) FROM seq_1_to_5000;
    CREATE DATABASE nothing_in_it" shop
server_checksums >/root/before
server_stop
rm -f /root/.my.cnf /etc/my.cnf
printf '[client]\nport=3306\n!includedir /etc/mysql/conf.d/\n' >/etc/mysql/my.cnf
printf '[server]\n[mysqld]\npid-file = /run/mysqld/mysqld.pid\ndatadir\t= %s\n' $source \
    >/etc/mysql/conf.d/50-server.cnf

# `nc` is ncat, which ends when its input ends, as the lines expect of it; openbsd's wants -N for
# that. A connection waits for its listener: whoever types the two lines does.
cat >/usr/local/bin/nc <<'END'
#!/bin/bash
. /root/world.sh
case $1 in
-l) exec "$XBK_NC" "$@" ;;
esac
world_await "${@: -1}"
exec "$XBK_NC" "$@"
END
chmod 755 /usr/local/bin/nc
cp tests/lib/world.sh /root/
# For what sshd starts as well.
nc_is() {
    ln -sf "$(command -v "$1")" /usr/local/bin/xbk-nc
    export XBK_NC=/usr/local/bin/xbk-nc
    sed -i "s,^exec \"[^\"]*\",exec \"$XBK_NC\",; s,exec \"\$XBK_NC\",exec \"$XBK_NC\",; s,-l) exec \"[^\"]*\",-l) exec \"$XBK_NC\"," \
        /usr/local/bin/nc
}
nc_is ncat

cd /root/work
passed=0

# clean: nothing is left of the line before.
clean() {
    rm -rf /root/work/* /data/backups/* /root/out
    mkdir /root/out
}

# line LINE: runs it, with all of its parts ending well.
line() {
    local statuses
    echo "+ $1"
    statuses=$(timeout 120 bash -c "$1"$'\n echo "${PIPESTATUS[*]}" >&3' 3>&1 >/dev/null 2>/root/said) || true
    case $statuses in
    *[!0\ ]* | '')
        cat /root/said >&2
        fail "the line ends with '$statuses'"
        ;;
    esac
    case $1 in
    *--stream*) [[ $(cat /root/said) == *'completed OK!'* ]] || fail "completed OK! is not told" ;;
    esac
    passed=$((passed + 1))
}

# same DIR: it has every file of the source, and nothing else but the manifest.
same() {
    LC_ALL=C diff -rq $source "$1" >/root/differences || [ $? = 1 ]
    grep -v -e "^Only in $1: xbkit_manifest.json$" -e "^Only in $source: ibtmp1$" /root/differences &&
        fail "$1 is not what was backed up"
    [ -e "$1/shop/item.ibd" ] || fail "$1 holds nothing"
}

# starts DIR: a server runs on it, with the same rows.
starts() {
    rm -f "$1/xbkit_manifest.json"
    server_start "$1"
    server_check
    server_checksums >/root/after
    server_stop
    diff /root/before /root/after || fail "a server on $1 has other rows"
}

# by_tar ARCHIVE: what tar makes of it, with and without -i, and what we do.
by_tar() {
    rm -rf /root/out/*
    mkdir /root/out/tar /root/out/i /root/out/ours
    tar -xf "$1" -C /root/out/tar
    tar -ixf "$1" -C /root/out/i
    xbkit extract -C /root/out/ours <"$1" 2>/dev/null
    same /root/out/tar
    same /root/out/i
    same /root/out/ours
    xbkit verify <"$1" 2>/dev/null || fail "$1 is not proven"
}

clean
line 'innobackupex --stream=tar ./ > backup.tar'
by_tar backup.tar
mkdir here
cp backup.tar here
cd here
line 'tar -ixvf backup.tar'
rm backup.tar
same /root/work/here
cd ..
starts /root/work/here

clean
line 'innobackupex --stream=tar ./ | gzip - > backup.tar.gz'
xbkit verify <backup.tar.gz 2>/dev/null || fail "backup.tar.gz is not proven"
gunzip backup.tar.gz
by_tar backup.tar

clean
line 'innobackupex --stream=tar . | gzip - | openssl des3 -salt -k "password" > backup.tar.gz.des3'
line 'openssl des3 -d -salt -k "password" -in backup.tar.gz.des3 | gzip -d - > backup.tar'
by_tar backup.tar

clean
line 'innobackupex --stream=tar ./ | ssh user@desthost "cat - > /data/backups/backup.tar"'
by_tar /data/backups/backup.tar

listen_and_send() { # listen_and_send LISTENER SENDER
    timeout 120 bash -c "$1" &
    local listener=$!
    line "$2"
    wait $listener || fail "the listener fails"
    by_tar /data/backups/backup.tar
    clean
}
clean
listen_and_send 'nc -l 9999 | cat - > /data/backups/backup.tar' \
    'innobackupex --stream=tar ./ | nc desthost 9999'
nc_is nc.openbsd
listen_and_send 'nc -l 9999 | cat - > /data/backups/backup.tar' \
    'innobackupex --stream=tar ./ | nc -N desthost 9999'

# OpenSSH waits for the listener too, as that keeps its standard error; unless it is told to go on.
ssh_config desthost 'ForkAfterAuthentication yes' 'StdinNull yes'
arrived() { # when the listener is gone, all that came is written
    local deadline=$((SECONDS + 60))
    while pgrep -x 'xbk-nc' >/dev/null; do
        [ $SECONDS -lt $deadline ] || fail "the listener stays"
        sleep 0.05
    done
}
for nc in ncat nc.openbsd; do
    nc_is $nc
    [ $nc = ncat ] && send='nc desthost 9999' || send='nc -N desthost 9999'
    line 'ssh user@desthost "( nc -l 9999 > /data/backups/backup.tar & )" && innobackupex --stream=tar ./ | '"$send"
    arrived
    by_tar /data/backups/backup.tar
    clean
done
nc_is ncat
ssh_config desthost

line 'innobackupex --stream=tar ./ | pv -q -L10m | ssh user@desthost "cat - > /data/backups/backup.tar"'
by_tar /data/backups/backup.tar

clean
line 'innobackupex --stream=xbstream ./ > backup.xbstream'
cp backup.xbstream /root/keep
line 'xbstream -x < backup.xbstream'
rm backup.xbstream
same /root/work
starts /root/work

# by_layers STREAM: its members are compressed; in one pass, and as the page's time did it, in two.
by_layers() {
    xbkit verify <"$1" 2>/dev/null || fail "$1 is not proven"
    [ "$(xbkit list <"$1" | grep -c '\.qp$')" -gt 50 ] || fail "$1 is not compressed"
    rm -rf /root/out/*
    mkdir /root/out/one /root/out/two
    (cd /root/out/one && xbstream -x --decompress --decompress-threads=2 --parallel=2) <"$1"
    same /root/out/one
    xbkit extract -C /root/out/ours <"$1" 2>/dev/null
    same /root/out/ours
    (cd /root/out/two && xbstream -x) <"$1"
    innobackupex --decompress --remove-original --parallel=2 /root/out/two 2>/root/said ||
        { cat /root/said >&2; fail "--decompress fails"; }
    same /root/out/two
}
clean
line 'innobackupex --stream=xbstream --compress ./ > backup.xbstream'
by_layers backup.xbstream
clean
line 'innobackupex --compress --compress-threads=8 --stream=xbstream --parallel=4 ./ > backup.xbstream'
by_layers backup.xbstream
starts /root/out/one
clean
ssh_config otherhost
rm -rf /home/user/*
line 'innobackupex --compress --stream=xbstream ./ | ssh user@otherhost "xbstream -x"'
innobackupex --decompress --remove-original /home/user 2>/root/said || fail "--decompress fails"
same /home/user
rm -rf /home/user/*
line 'innobackupex --compress --stream=xbstream ./ | ssh user@otherhost "xbstream -x --decompress"'
same /home/user
rm -rf /home/user/*
ssh_config desthost

# The same directory by the user's own option file, and by other names.
clean
rm -r /etc/mysql/my.cnf /etc/mysql/conf.d
printf '[mysqld]\ndatadir=%s\n' $source >/root/.my.cnf
line 'innobackupex --stream=tar ./ > backup.tar'
by_tar backup.tar
for name in 'xtrabackup --backup' 'mariabackup --backup'; do
    clean
    line "$name --stream=tar --parallel=4 > backup.tar"
    by_tar backup.tar
done

# Of a server that runs, and is written to meanwhile. Its redo log is in the archive, and the real
# server recovers what tar made of it.
clean
server_start $source
printf '[client]\nsocket=%s\nuser=root\n[mysqld]\ndatadir=%s\n' "$SERVER_RUN/sock" $source >/root/.my.cnf
server_sql "CREATE TABLE meanwhile (id INT PRIMARY KEY AUTO_INCREMENT, t CHAR(200)) ENGINE=InnoDB" shop
while [ ! -e /root/enough ]; do
    server_sql "INSERT INTO meanwhile (t) SELECT SHA2(seq, 512) FROM seq_1_to_100" shop || break
done 2>/dev/null &
writer=$!
until [ "$(server_sql 'SELECT COUNT(*) FROM meanwhile' shop)" -gt 500 ]; do sleep 0.02; done
for line in 'innobackupex --stream=tar ./ | gzip - > backup.tar.gz' \
    'mariabackup --backup --stream=tar --parallel=4 | pv -q -L100m | gzip - > backup.tar.gz'; do
    rows=$(server_sql 'SELECT COUNT(*) FROM meanwhile' shop)
    line "$line"
    xbkit verify <backup.tar.gz 2>/dev/null || fail "the archive is not proven"
    mkdir -p "/root/out/$rows"
    gunzip <backup.tar.gz | tar -ixf - -C "/root/out/$rows"
    grep -q '^format = tar$' "/root/out/$rows/xtrabackup_info" || fail "another format is told"
done
touch /root/enough
wait $writer
server_stop
for dir in /root/out/*/; do
    innobackupex --apply-log "$dir" 2>/root/said || { cat /root/said >&2; fail "$dir is not recovered"; }
    server_start "${dir%/}"
    server_check
    found=$(server_sql 'SELECT COUNT(*) FROM meanwhile' shop)
    [ "$found" -ge "$(basename "$dir")" ] || fail "$found rows of $(basename "$dir") are there"
    [ "$(server_sql 'SELECT COUNT(*) FROM item' shop)" = 60000 ] || fail "rows are missing"
    server_stop
    passed=$((passed + 1))
done
printf '[mysqld]\ndatadir=%s\n' $source >/root/.my.cnf

# As Aurora's documentation has it: parts, which are read again in the order of their numbers.
clean
line 'innobackupex --stream=tar ./ | gzip - | split -d --bytes=100K - backup.tar.gz.'
[ "$(ls | wc -l)" -gt 12 ] || fail "too few parts: $(ls)"
xbkit verify --parts -i backup.tar.gz.00 2>/dev/null || fail "the parts are not proven"
xbkit extract --parts -i backup.tar.gz.00 -C /root/out/parts 2>/dev/null
same /root/out/parts
mkdir /root/out/cat
cat backup.tar.gz.* | xbkit extract -C /root/out/cat 2>/dev/null
same /root/out/cat
rm backup.tar.gz.05
! xbkit verify --parts -i backup.tar.gz.00 2>/root/said || fail "a missing part is not noticed"
grep -q 'the part behind "04" is missing' /root/said || fail "$(cat /root/said)"

# ours STATUS LINE: the first part of the line ends so, and says why.
ours() {
    local status
    echo "+ $2"
    status=$(timeout 120 bash -c "$2"$'\n echo "${PIPESTATUS[0]}" >&3' 3>&1 >/dev/null 2>/root/said) || true
    [ "$status" = "$1" ] || { cat /root/said >&2; fail "ours ends with '$status'"; }
    ! grep -q 'completed OK!' /root/said || fail "completed OK! is told"
    passed=$((passed + 1))
}
clean
ours 1 'innobackupex --stream=tar ./ > /dev/full'
ours 1 'innobackupex --stream=tar ./ | gzip - > /dev/full'
ours 1 'innobackupex --stream=tar ./ | head -c 100000 > backup.tar'
ours 1 'innobackupex --stream=tar ./ | no-such-program'
ours 1 'innobackupex --stream=tar ./ | ssh user@desthost "head -c 100000 > /data/backups/backup.tar"'
ours 1 'innobackupex --stream=tar ./ | ssh user@nohost "cat - > /data/backups/backup.tar"'
ours 1 'innobackupex --stream=tar ./ | ssh user@desthost "cat - > /dev/full"'
ours 1 'innobackupex --stream=tar ./ | pv -q -L10m | false'
ours 1 'innobackupex --stream=tar ./ | ncat desthost 9998'
ours 1 'innobackupex --stream=xbstream ./ | head -c 100000 > backup.xbstream'

# When ours is killed, what has arrived by then is refused, through whatever layers.
cut_off() { # cut_off SINK FILE READER
    local first pids
    clean
    # In a shell of its own, which alone tells that something was killed.
    timeout 120 bash -c "
        bash -c 'echo \$BASHPID >/root/pid; exec innobackupex --stream=tar ./ 2>/dev/null' |
            pv -q -L2m | $1" 2>/dev/null &
    pids=$!
    first=$((SECONDS + 60))
    until [ "$(stat -c %s "$2" 2>/dev/null || echo 0)" -gt 100000 ]; do
        [ $SECONDS -lt $first ] || fail "nothing arrives in $2"
        sleep 0.02
    done
    kill -9 "$(cat /root/pid)"
    wait $pids || true
    ! bash -c "set -o pipefail; $3 | xbkit extract -C /root/out/cut" 2>/root/said ||
        fail "what was cut off is extracted: $2"
    ! bash -c "set -o pipefail; $3 | xbkit verify --allow-unproven" 2>/root/said ||
        fail "what was cut off passes for whole: $2"
    [ -z "$(ls -A /root/out/cut)" ] || fail "something is left of what was cut off"
    passed=$((passed + 1))
}
echo "+ (killed)"
cut_off 'cat > backup.tar' backup.tar 'cat backup.tar'
cut_off 'gzip -1 > backup.tar.gz' backup.tar.gz 'cat backup.tar.gz'
cut_off 'gzip -1 | openssl des3 -salt -k "password" > backup.tar.gz.des3 2>/dev/null' backup.tar.gz.des3 \
    'openssl des3 -d -salt -k "password" -in backup.tar.gz.des3 2>/dev/null'
cut_off 'ssh user@desthost "cat - > /data/backups/backup.tar"' /data/backups/backup.tar \
    'cat /data/backups/backup.tar'
cd /root/work && clean
head -c 1000000 /root/keep >cut.xbstream
ours 1 'xbstream -x -C /root/out < cut.xbstream'
head -c -1 /root/keep >cut.xbstream
ours 1 'xbstream -x -C /root/out < cut.xbstream'
echo "lines: $passed passed"
