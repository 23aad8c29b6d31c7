#!/bin/bash
# Installs the Debian packages that a purpose needs: deps.sh PURPOSE...
#
# dpkg is asked first, so a run that finds everything in place needs neither network nor root.
set -euo pipefail

packages_of() {
    case $1 in
    build) echo gcc libc6-dev ;;                   # zstd's C sources; the linker
    demo) echo mariadb-server-core mariadb-client-core mariadb-client ;; # mariadb-binlog
    test) echo mariadb-server-core mariadb-client-core mariadb-client \
        mariadb-backup \
        gzip pigz lz4 zstd \
        tar libarchive-tools \
        openssh-server openssh-client netcat-openbsd ncat pv openssl iproute2 procps \
        g++ valgrind abigail-tools pkg-config cmake make \
        python3 python3-venv ;;                    # mbstream; outer layers; tar; pipes; C programs; bench, module
    bench) echo mariadb-server-core mariadb-client-core mariadb-client time \
        zstd lz4 openssl \
        mariadb-backup python3 python3-venv ;;      # codecs; mbstream; the module
    fuzz) echo g++ ;;                              # libFuzzer's sources
    *)
        echo "deps.sh: '$1' is none of build, demo, test, bench, fuzz" >&2
        exit 1
        ;;
    esac
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v cargo >/dev/null; then
    echo "deps.sh: no cargo found; Debian's is too old, so install Rust with rustup" >&2
    exit 1
fi

wanted=()
for purpose in "$@"; do
    list=$(packages_of "$purpose")
    read -ra names <<<"$list"
    wanted+=("${names[@]}")
done
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "deps.sh: this is not Debian; nothing is installed. Needed is what these packages hold:" >&2
    echo "    ${wanted[*]}" >&2
    exit 0
fi

missing=()
for name in "${wanted[@]}"; do
    if ! is_installed "$name" && [[ " ${missing[*]} " != *" $name "* ]]; then
        missing+=("$name")
    fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps.sh: run this as root, or install sudo: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

# invoke-rc.d asks this program, so that no package starts a service; removed when we are done.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null
}
echo "deps.sh: installing ${missing[*]}" >&2
apt update
apt install --no-install-recommends "${missing[@]}"
