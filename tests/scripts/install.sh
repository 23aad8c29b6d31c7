#!/bin/bash
# `make install` puts every part in its place, whole and usable from there.
set -euo pipefail
cd "$(dirname "$0")/../.."

stage=$(mktemp -d "${TMPDIR:-/tmp}/xbkit-install.XXXXXX")
trap 'rm -rf "$stage"' EXIT
fail() {
    echo "install: $*" >&2
    exit 1
}

make --no-print-directory install DESTDIR="$stage" PREFIX=/opt/x
root=$stage/opt/x
[ "$("$root/bin/xbkit" --version)" = "xbkit $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)" ] ||
    fail "bin/xbkit --version says '$("$root/bin/xbkit" --version)'"

for name in innobackupex xtrabackup mariabackup mariadb-backup xbstream mbstream; do
    [ -L "$root/bin/$name" ] || fail "bin/$name is not a link"
    [ "$root/bin/$name" -ef "$root/bin/xbkit" ] || fail "bin/$name leads elsewhere than bin/xbkit"
    # A link to the staging directory would be dead after packaging.
    case $(readlink "$root/bin/$name") in /*) fail "bin/$name is an absolute link" ;; esac
done

for file in share/bash-completion/completions/xbkit share/zsh/site-functions/_xbkit \
    share/fish/vendor_completions.d/xbkit.fish; do
    grep -q extract "$root/$file" || fail "$file does not complete 'extract'"
done
bash -n "$root/share/bash-completion/completions/xbkit" || fail "the bash completions do not parse"
grep -q '^\.TH' "$root/share/man/man1/xbkit.1" || fail "share/man/man1/xbkit.1 is not a man page"

# The installed names work: a stream made under one name is extracted under the other.
mkdir "$stage/in" "$stage/out"
head -c 100000 /dev/urandom >"$stage/in/a"
(cd "$stage/in" && "$root/bin/xbstream" -c a) | "$root/bin/mbstream" -x -C "$stage/out"
cmp "$stage/in/a" "$stage/out/a"
find "$root" -type f -o -type l | sed "s,^$root/,," | sort
