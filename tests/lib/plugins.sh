#!/bin/bash
# Unpacks MariaDB's plugins for encryption and compression into .plugins, for tests.
#
# They come with the full server, which would start a service and bring its own option files, so
# they are unpacked and not installed. Only a first run, or one after the server changed, needs
# the network.
set -euo pipefail
cd "$(dirname "$0")/../.."

command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || exit 0
version=$(dpkg-query -W -f '${Version}' mariadb-server-core 2>/dev/null) || exit 0
[ "$(cat .plugins/version 2>/dev/null)" != "$version" ] || exit 0

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
(
    cd "$scratch"
    for name in mariadb-server mariadb-plugin-provider-{bzip2,lz4,lzma,lzo,snappy}; do
        apt-get -q download "$name=$version"
    done
    for package in *.deb; do
        dpkg -x "$package" root
    done
) >&2
rm -rf .plugins
mkdir .plugins
cp "$scratch"/root/usr/lib/mysql/plugin/{file_key_management,provider_*}.so .plugins/
# A provider whose library is not installed keeps a server from starting.
for plugin in .plugins/*.so; do
    ! ldd "$plugin" | grep -q 'not found' || rm "$plugin"
done
echo "$version" >.plugins/version
