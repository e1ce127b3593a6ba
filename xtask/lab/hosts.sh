#!/bin/bash
# Hosts that boot systemd, in containers on a bridge of their own that leads nowhere else:
#   hosts.sh up DIR ROOT NUMBER...     hosts.sh kill DIR NUMBER...
#   hosts.sh counters DIR NUMBER...    hosts.sh down DIR
#
# DIR holds all state. ROOT is the root that all share, each with an overlay of its own. Host N has
# the address 10.78.NET.N and no default route; this machine is .1 on the bridge.
# SEALER_LAB_PASSWORD is the password of root and of ops, who may use sudo with it.
set -euo pipefail
verb=$1 dir=$2
shift 2

net() { cat "$dir/net"; }
bridge() { echo "slab$(net)"; }
space() { echo "slab$(net)-$1"; }
link() { echo "sl$(net)h$1"; }

claim() {
    mkdir -p "$dir"
    [ -e "$dir/net" ] && return
    for net in $(seq 1 200); do
        if ip link add "slab$net" type bridge 2> /dev/null; then
            echo "$net" > "$dir/net"
            ip addr add "10.78.$net.1/24" dev "slab$net"
            ip link set "slab$net" up
            return
        fi
    done
    echo 'hosts.sh: no network is free' >&2
    exit 1
}

# Below our own groups, so that what hosts use is counted as ours.
groups() {
    while IFS=: read -r _ controllers path; do
        case $controllers in
            '') mount=/sys/fs/cgroup/unified ;;
            name=*) mount=/sys/fs/cgroup/${controllers#name=} ;;
            *) mount=/sys/fs/cgroup/$controllers ;;
        esac
        [ -d "$mount" ] || { [ -z "$controllers" ] && mount=/sys/fs/cgroup; }
        [ -d "$mount" ] && echo "$mount${path%/}"
    done < /proc/self/cgroup
}

root() {
    local number=$1 base=$2 host=$dir/hosts/$1 name
    name=$(name "$number")
    mkdir -p "$host"/{upper,work,root,containerd,kubelet,etcd}
    mount -t overlay "slab-$number" -o "lowerdir=$base,upperdir=$host/upper,workdir=$host/work" "$host/root"
    echo "$name" > "$host/root/etc/hostname"
    printf '127.0.0.1 localhost\n10.78.%s.%s %s\n' "$(net)" "$number" "$name" > "$host/root/etc/hosts"
    chroot "$host/root" useradd -m -s /bin/bash ops
    printf 'root:%s\nops:%s\n' "$SEALER_LAB_PASSWORD" "$SEALER_LAB_PASSWORD" | chroot "$host/root" chpasswd
    echo 'ops ALL=(ALL) ALL' > "$host/root/etc/sudoers.d/ops"
    ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$host/root/etc/ssh/ssh_host_ed25519_key"
}

name() { echo "lab$(net)-$1"; }

connect() {
    local number=$1
    ip netns add "$(space "$number")"
    ip link add "$(link "$number")" type veth peer name eth0 netns "$(space "$number")"
    ip link set "$(link "$number")" master "$(bridge)" up
    ip -n "$(space "$number")" addr add "10.78.$(net).$number/24" dev eth0
    ip -n "$(space "$number")" link set lo up
    ip -n "$(space "$number")" link set eth0 up
    # Counts what leaves for anywhere but the hosts, and what is Kubernetes' own (pods, Services).
    ip netns exec "$(space "$number")" nft -f - << NFT
table inet lab {
    counter out {}
    chain out {
        type filter hook postrouting priority 300; policy accept;
        oifname "eth0" ip daddr != { 10.78.$(net).0/24, 100.64.0.0/16, 10.96.0.0/22, 224.0.0.0/4 } counter name out
    }
}
NFT
}

boot() {
    local number=$1 host=$dir/hosts/$1 group parent name
    name=$(name "$number")
    : > "$host/groups"
    for parent in $(groups); do
        group=$parent/$name
        mkdir -p "$group"
        echo "$group" >> "$host/groups"
        if [ -e "$group/cpuset.cpus" ]; then
            cat "$parent/cpuset.cpus" > "$group/cpuset.cpus"
            cat "$parent/cpuset.mems" > "$group/cpuset.mems"
        fi
    done
    (
        unset SEALER_LAB_PASSWORD
        while read -r group; do echo "$BASHPID" > "$group/cgroup.procs"; done < "$host/groups"
        # systemd-nspawn ends with 133 when the host wants to be booted again.
        exec setsid bash -c 'trap "" HUP; while :; do "$@"; status=$?; [ $status = 133 ] || exit $status; done' "$name" \
            env -i PATH="$PATH" LANG=C SYSTEMD_NSPAWN_API_VFS_WRITABLE=1 \
            systemd-nspawn --quiet --register=no --keep-unit --boot -D "$host/root" -M "$name" --hostname="$name" \
            --network-namespace-path="/run/netns/$(space "$number")" --capability=all \
            --system-call-filter='@keyring bpf @mount @module' --resolv-conf=off --timezone=off --link-journal=no \
            --console=pipe --kill-signal=SIGRTMIN+3 --bind=/dev/kmsg \
            --bind="$host/containerd:/var/lib/containerd" --bind="$host/kubelet:/var/lib/kubelet" \
            --bind="$host/etcd:/var/lib/etcd" < /dev/null > "$host/console" 2>&1
    ) &
    echo $! > "$host/pid"
    disown
}

answers() {
    local number=$1 line
    for _ in $(seq 600); do
        if (exec 3<> "/dev/tcp/10.78.$(net).$number/22" && read -t 2 -r -u 3 line && [[ $line == SSH* ]]) 2> /dev/null; then
            return 0
        fi
        kill -0 "$(cat "$dir/hosts/$number/pid")" 2> /dev/null || break
        sleep 0.1
    done
    echo "hosts.sh: host $number does not answer:" >&2
    tail -5 "$dir/hosts/$number/console" >&2
    return 1
}

children() { cat "/proc/$1/task/$1/children" 2> /dev/null || true; }

# Every process of a host: what is in its own control groups.
processes() { while read -r group; do find "$group" -name cgroup.procs -exec cat {} + 2> /dev/null || true; done < "$dir/hosts/$1/groups" | sort -u; }

stop() {
    local number=$1 host=$dir/hosts/$1 pid shell init
    [ -e "$host/groups" ] || return 0
    shell=$(cat "$host/pid")
    pid=$(children "$shell")
    init=$([ -z "${pid// /}" ] || children "${pid// /}")
    # The loop that boots it again goes first.
    kill -9 "$shell" 2> /dev/null || true
    # shellcheck disable=SC2086
    kill -9 $init $pid 2> /dev/null || true
    for _ in $(seq 100); do
        left=$(processes "$number")
        [ -z "$left" ] && break
        # shellcheck disable=SC2086
        kill -9 $left 2> /dev/null || true
        sleep 0.1
    done
    while read -r group; do find "$group" -depth -type d -exec rmdir {} \; 2> /dev/null || true; done < "$host/groups"
}

remove() {
    local number=$1 host=$dir/hosts/$1
    stop "$number"
    ip link del "$(link "$number")" 2> /dev/null || true
    ip netns del "$(space "$number")" 2> /dev/null || true
    for _ in $(seq 50); do
        mountpoint -q "$host/root" || break
        umount "$host/root" 2> /dev/null && break
        sleep 0.1
    done
    mountpoint -q "$host/root" && umount -l "$host/root"
    rm -rf "$host"
}

case $verb in
    up)
        base=$1
        shift
        claim
        for number; do root "$number" "$base"; connect "$number"; boot "$number"; done
        for number; do answers "$number"; echo "10.78.$(net).$number"; done
        ;;
    # What has left the hosts for anywhere else: a line each.
    counters)
        for number; do
            echo "10.78.$(net).$number $(ip netns exec "$(space "$number")" nft list counter inet lab out | grep packets | xargs)"
        done
        ;;
    kill) for number; do stop "$number"; done ;;
    down)
        [ -e "$dir/net" ] || exit 0
        for host in "$dir"/hosts/*/; do [ -d "$host" ] && remove "$(basename "$host")"; done
        ip link del "$(bridge)" 2> /dev/null || true
        rm -rf "$dir"
        ;;
esac
