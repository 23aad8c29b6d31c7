#!/bin/bash
# `make install-lib install-header` gives a C library that pkg-config and CMake find, shared and
# static, with its symbols versioned, and that programs use from there.
set -euo pipefail
cd "$(dirname "$0")/../.."

for program in pkg-config cmake readelf; do
    if ! command -v $program >/dev/null; then
        echo "install_lib: $program is missing" >&2
        exit 77
    fi
done
stage=$(mktemp -d "${TMPDIR:-/tmp}/xbkit-lib.XXXXXX")
trap 'rm -rf "$stage"' EXIT
fail() {
    echo "install_lib: $*" >&2
    exit 1
}

# Elsewhere than lib, as Debian's multiarch has it.
prefix=$stage/x libdir=$stage/x/lib/some-arch
make --no-print-directory install-lib install-header PREFIX="$prefix" LIBDIR="$libdir"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
[ "$(readlink "$libdir/libxbkit.so")" = libxbkit.so.0 ] || fail "libxbkit.so leads elsewhere"
[ "$(readlink "$libdir/libxbkit.so.0")" = "libxbkit.so.$version" ] || fail "libxbkit.so.0 leads elsewhere"
cmp include/xbkit.h "$prefix/include/xbkit.h"
if grep -rn '@[A-Z_]*@' "$libdir/pkgconfig" "$libdir/cmake"; then fail "a place was not filled in"; fi

export PKG_CONFIG_PATH=$libdir/pkgconfig
[ "$(pkg-config --modversion xbkit)" = "$version" ] || fail "pkg-config says $(pkg-config --modversion xbkit)"
mkdir "$stage/in"
head -c 3000000 /dev/urandom >"$stage/in/a"

# use NAME PROGRAM-DIRECTORY: what was built makes a stream, and extracts it.
use() {
    "$2/create" "$stage/in" a >"$stage/$1.xbs" || fail "$1: create failed"
    "$2/extract" "$stage/$1.out" <"$stage/$1.xbs" || fail "$1: extract failed"
    cmp "$stage/in/a" "$stage/$1.out/a"
}

mkdir "$stage/shared" "$stage/static"
for name in create extract; do
    # The flags are words.
    # shellcheck disable=SC2046
    cc -o "$stage/shared/$name" examples/c/$name.c $(pkg-config --cflags --libs xbkit) \
        -Wl,-rpath,"$libdir"
    # shellcheck disable=SC2046
    cc -o "$stage/static/$name" examples/c/$name.c $(pkg-config --cflags xbkit) "$libdir/libxbkit.a" \
        $(pkg-config --static --libs-only-other --libs-only-l xbkit | sed 's/-lxbkit//')
done
use shared "$stage/shared"
use static "$stage/static"
readelf -d "$stage/shared/create" | grep -q 'NEEDED.*\[libxbkit.so.0\]' || fail "it needs another soname"
if readelf -d "$stage/static/create" | grep -q libxbkit; then fail "the static one needs libxbkit"; fi
readelf --dyn-syms --wide "$stage/shared/create" | grep -q 'xbk_create_to_fd@XBKIT_0.1' ||
    fail "its symbols are not bound to XBKIT_0.1"

mkdir "$stage/project"
cat >"$stage/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.16)
project(user C)
find_package(xbkit 0.1 REQUIRED)
foreach(name create extract)
  add_executable(\${name} "$PWD/examples/c/\${name}.c")
  target_link_libraries(\${name} xbkit::xbkit)
  add_executable(\${name}_static "$PWD/examples/c/\${name}.c")
  target_link_libraries(\${name}_static xbkit::static)
endforeach()
END
cmake -S "$stage/project" -B "$stage/built" -Dxbkit_DIR="$libdir/cmake/xbkit" >"$stage/cmake.log" 2>&1 &&
    cmake --build "$stage/built" >>"$stage/cmake.log" 2>&1 || { cat "$stage/cmake.log"; fail "cmake"; }
use cmake "$stage/built"
sed -i 's/find_package(xbkit 0.1/find_package(xbkit 99.0/' "$stage/project/CMakeLists.txt"
if cmake -S "$stage/project" -B "$stage/newer" -Dxbkit_DIR="$libdir/cmake/xbkit" >/dev/null 2>&1; then
    fail "cmake takes it for version 99"
fi
find "$prefix" -type f -printf '%8s  ' -printf '%P\n' -o -type l -printf '    link  %P -> %l\n'
