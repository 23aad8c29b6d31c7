#!/bin/bash
# Unpacks MariaDB 11.8, of Debian 13, with the libraries it needs, into .servers/11.8, for tests.
#
# Nothing is installed: the packages come from the machine's own mirror of Debian, are checked by
# Debian's keys, and are only unpacked; apt works in directories of its own. Only a first run needs
# the network, or one after this script changed. About 40 MB are loaded, and some 160 MB stay.
#
# The programs are .servers/11.8/bin/{mariadbd,mariadb,...}: scripts that start the real ones with
# the libraries and files beside them.
set -euo pipefail
cd "$(dirname "$0")/../.."

suite=trixie
place=.servers/11.8
made_by=$(sha256sum <"$0" | cut -c1-16)

if [ "$(cat $place/made-by 2>/dev/null)" = "$made_by" ]; then
    exit 0
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    echo "mariadb118.sh: this is not Debian; rows with MariaDB 11.8 will be skipped" >&2
    exit 0
}
# A source of Debian itself, whichever mirror that is here.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Component: main' |
    awk '/\/debian\/*$/ && !n++' | grep .) || {
    echo "mariadb118.sh: apt has no source of Debian here; rows with MariaDB 11.8 will be skipped" >&2
    exit 0
}
keys=/usr/share/keyrings/debian-archive-keyring.gpg

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{lists/partial,cache/archives/partial,debs,root}
touch "$scratch/status"
echo "deb [signed-by=$keys] $mirror $suite main" >"$scratch/sources.list"
# An empty status: the libraries of this machine are of another Debian, and do not count.
cat >"$scratch/apt.conf" <<END
Dir::Etc::sourcelist "$scratch/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State::Lists "$scratch/lists";
Dir::State::status "$scratch/status";
Dir::Cache "$scratch/cache";
APT::Sandbox::User "root";
APT::Default-Release "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Check-Valid-Until "false";
END
apt() {
    apt-get -c "$scratch/apt.conf" -q "$@" </dev/null
}
{
    apt update
    # What they depend on, less what only their scripts of installation need. The whole server
    # package is there for its plugins; what that depends on is not needed.
    needed=$(apt -s install mariadb-server-core mariadb-client-core mariadb-client mariadb-backup |
        awk '$1 == "Inst" { print $2 }' |
        grep -Ev '^(perl.*|libperl.*|libgdbm.*|libdb5.*|debianutils|libconfig-inifiles-perl|m(ysql|ariadb)-common)$')
    # shellcheck disable=SC2086
    (cd "$scratch/debs" && apt download $needed mariadb-server)
} >"$scratch/log" 2>&1 || {
    tail -20 "$scratch/log" >&2
    echo "mariadb118.sh: the packages of $suite cannot be had from $mirror" >&2
    exit 1
}
for package in "$scratch"/debs/*.deb; do
    dpkg-deb -x "$package" "$scratch/root"
done
root=$scratch/root
rm -rf "$root"/usr/share/{doc,man,locale,bug,bash-completion,lintian} "$root"/{var,etc}
# What is not started by a script of ours would not run.
programs=(mariadb mariadb-binlog mariadb-backup mbstream my_print_defaults resolveip)
keep=(mariadb-install-db "${programs[@]}")
for program in "$root"/usr/bin/*; do
    [[ " ${keep[*]} " == *" $(basename "$program") "* ]] || rm "$program"
done

# What the programs are started by: relative to the script, so that the tree may be moved.
loader=$(cd "$root" && find usr/lib64 usr/lib -name 'ld-linux*.so.*' 2>/dev/null | head -1)
libraries=$(cd "$root" && dirname "$(find usr/lib -name 'libstdc++.so.*' | head -1)")
[ -n "$loader" ] && [ -n "$libraries" ]
start() { # start FILE START: makes FILE a script that starts what it was; the server's options in front
    local program=$1 real
    real=usr/libexec/xbkit/$(basename "$program")
    mkdir -p "$root/usr/libexec/xbkit"
    mv "$root/$program" "$root/$real"
    cat >"$root/$program" <<END
#!/bin/bash
here=\$(realpath "\$0")
root=\${here%/$program}
first=()
if [[ \${1:-} == --no-defaults ]]; then
    first=(--no-defaults) # which must be the first
    shift
fi
real=\$root/$real loader=("\$root/$loader" --library-path "\$root/$libraries" --argv0 "\$0")
exec $2 "\${first[@]}" ${*:3} "\$@"
END
    chmod 755 "$root/$program"
}
# shellcheck disable=SC2016
{
    loaded='"${loader[@]}" "$real"'
    start usr/sbin/mariadbd "$loaded" '"--basedir=$root/usr"' '"--lc-messages-dir=$root/usr/share/mysql"' \
        '"--character-sets-dir=$root/usr/share/mysql/charsets"' '"--plugin-dir=$root/usr/lib/mysql/plugin"'
    start usr/bin/mariadb-install-db '"$real"' '"--basedir=$root/usr"'
    for name in "${programs[@]}"; do start "usr/bin/$name" "$loaded"; done
}
mkdir "$root/bin.new"
for name in mariadb mariadb-binlog mariadb-backup mbstream mariadb-install-db; do
    ln -s "../root/usr/bin/$name" "$root/bin.new/$name"
done
ln -s mariadb-backup "$root/bin.new/mariabackup"
ln -s ../root/usr/sbin/mariadbd "$root/bin.new/mariadbd"

rm -rf $place
mkdir -p $place
mv "$root/bin.new" $place/bin
mv "$root" $place/root
(cd "$scratch/debs" && printf '%s\n' *.deb | sed 's/_[^_]*\.deb$//; s/%3a/:/; s/_/ /') >$place/packages
$place/bin/mariadbd --no-defaults --version
echo "mariadb118.sh: unpacked $(grep mariadb-server-core $place/packages), $(du -sh $place | cut -f1)"
echo "$made_by" >$place/made-by
