# shellcheck shell=bash
# A world of its own for a script: its file system, network, host names and processes, gone with it.
#
# Source this, and call world_enter "$0" "$@" first. It starts the script again as root of a copy of
# this machine's files that can be written to without a trace (a layer in memory over them), with no
# network but a loopback, and returns only there. /tmp is the real one. Everything that the script
# starts ends with it. Status 77 if this machine does not allow that.

world_enter() {
    [ -z "${XBK_WORLD:-}" ] || return 0
    local program
    for program in unshare mount chroot ip; do
        command -v $program >/dev/null || { echo "world: $program is not installed" >&2; exit 77; }
    done
    if ! unshare --mount --net --pid --fork --kill-child true 2>/dev/null; then
        echo "world: this needs root, with the right to make namespaces" >&2
        exit 77
    fi
    # shellcheck disable=SC2016
    exec unshare --mount --net --pid --fork --kill-child bash -c '
        set -euo pipefail
        layer=$(mktemp -d /tmp/xbkit-world.XXXXXX)
        mount -t tmpfs none "$layer"
        mkdir "$layer/upper" "$layer/work" "$layer/root"
        mount -t overlay none "$layer/root" \
            -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" || exit 77
        for dir in sys dev tmp; do mount --rbind /$dir "$layer/root/$dir"; done
        mount -t proc none "$layer/root/proc"
        ip link set lo up
        status=0
        XBK_WORLD=1 chroot "$layer/root" /usr/bin/env --chdir="$PWD" bash "$@" || status=$?
        umount -R -l "$layer/root" "$layer"
        rmdir "$layer"
        exit $status
    ' world "$(realpath "$1")" "${@:2}"
}

# world_host NAME...: names for this machine.
world_host() {
    printf '127.0.0.1 %s\n' "$@" >>/etc/hosts
}

# world_listens PORT: whether somebody waits for a connection there.
world_listens() {
    local port
    port=$(printf '%04X' "$1")
    awk -v port=":$port" '$2 ~ port "$" && $4 == "0A" { found = 1 } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6
}

# world_await PORT: returns when somebody waits there. Fails after a minute.
world_await() {
    local deadline=$((SECONDS + 60))
    until world_listens "$1"; do
        [ $SECONDS -lt $deadline ] || { echo "world: nobody listens on port $1" >&2; return 1; }
        sleep 0.02
    done
}
