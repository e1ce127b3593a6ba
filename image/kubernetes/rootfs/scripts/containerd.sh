#!/bin/bash
# Installs containerd and has it take every image from the cluster's registry: containerd.sh DOMAIN PORT
set -euo pipefail
domain=$1 port=$2
rootfs=$(cd .. && pwd)
mark='# Written by the cluster image.'

if [ -e /etc/containerd/config.toml ] && ! grep -qxF "$mark" /etc/containerd/config.toml; then
    echo "containerd is set up already: /etc/containerd/config.toml is not this image's" >&2
    echo "remove containerd and that file, or use a fresh host" >&2
    exit 1
fi
for name in dockerd crio; do
    if pgrep -x "$name" > /dev/null 2>&1; then
        echo "another container runtime is running: $name" >&2
        exit 1
    fi
done

# A program that is running cannot be written over, but replaced.
place() {
    cmp -s "$1" "$2" || { cp "$1" "$2.new" && chmod 755 "$2.new" && mv "$2.new" "$2"; }
}
for program in "$rootfs"/cri/bin/*; do place "$program" "/usr/bin/${program##*/}"; done
mkdir -p /opt/cni/bin /etc/cni/net.d
for program in "$rootfs"/cri/cni/*; do place "$program" "/opt/cni/bin/${program##*/}"; done

pause=$(cat "$rootfs/etc/pause-image")
driver=$(bash cgroup-driver.sh)
# Without the capability, no process may be made less likely to be killed: as in a container.
restrict=false
capabilities=$(awk '/^CapEff/ { print $2 }' /proc/self/status)
(( 16#$capabilities >> 24 & 1 )) || restrict=true
# What the kernel knows of it does not count, but whether it can be used here.
hugetlb=true
if [ -d /sys/fs/cgroup/hugetlb ] || grep -qsw hugetlb /sys/fs/cgroup/cgroup.controllers; then hugetlb=false; fi

mkdir -p /etc/containerd/certs.d/_default
{
    echo "$mark"
    sed -e "s|@PAUSE@|$pause|" -e "s|@RESTRICT@|$restrict|" -e "s|@NO_HUGETLB@|$hugetlb|" \
        -e "s|@SYSTEMD@|$([ "$driver" = systemd ] && echo true || echo false)|" "$rootfs/etc/containerd.toml"
} > /etc/containerd/config.toml.new
cat > /etc/containerd/certs.d/_default/hosts.toml <<TOML
# Every registry is answered for by the cluster's own.
server = "https://$domain:$port"

[host."https://$domain:$port"]
  capabilities = ["pull", "resolve"]
  ca = "/etc/docker/certs.d/$domain:$port/$domain.crt"
TOML
place "$rootfs/etc/containerd.service" /etc/systemd/system/containerd.service
chmod 644 /etc/systemd/system/containerd.service
systemctl daemon-reload
if ! cmp -s /etc/containerd/config.toml.new /etc/containerd/config.toml; then
    mv /etc/containerd/config.toml.new /etc/containerd/config.toml
    systemctl --quiet enable containerd
    systemctl restart containerd
fi
rm -f /etc/containerd/config.toml.new
systemctl --quiet enable --now containerd
