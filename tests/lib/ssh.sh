# shellcheck shell=bash
# An ssh server on loopback, with keys of its own. For a world of its own: see world.sh.

# ssh_start NAME: an account `user`, and a server to which `ssh user@NAME` leads without a question.
ssh_start() {
    local name=$1 program
    for program in /usr/sbin/sshd ssh ssh-keygen; do
        command -v $program >/dev/null || { echo "ssh: $program is not installed" >&2; exit 77; }
    done
    mkdir -p /run/sshd /root/.ssh /home/user /etc/xbkit-ssh
    grep -q '^user:' /etc/passwd || echo "user:x:0:0:user:/home/user:/bin/bash" >>/etc/passwd
    rm -f /root/.ssh/* /etc/xbkit-ssh/*
    ssh-keygen -q -t ed25519 -N '' -f /etc/xbkit-ssh/host
    ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
    cat >/etc/xbkit-ssh/config <<END
Port 2222
ListenAddress 127.0.0.1
HostKey /etc/xbkit-ssh/host
AuthorizedKeysFile /root/.ssh/id_ed25519.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
END
    ssh_config "$name"
    echo "[127.0.0.1]:2222 $(cut -d' ' -f1-2 /etc/xbkit-ssh/host.pub)" >/root/.ssh/known_hosts
    /usr/sbin/sshd -D -f /etc/xbkit-ssh/config </dev/null >/tmp/xbkit-sshd.log 2>&1 &
    world_await 2222
}

# ssh_config NAME [SETTING]...: what `ssh NAME` does.
ssh_config() {
    {
        printf 'Host %s\n    HostName 127.0.0.1\n    Port 2222\n    BatchMode yes\n' "$1"
        shift
        [ $# = 0 ] || printf '    %s\n' "$@"
    } >/root/.ssh/config
}
