#!/bin/sh
# Makes the root that all lab hosts share: root.sh OUT
#
# A small Debian with systemd and sshd, and what kubeadm wants of a host's own packages. Nothing of
# Kubernetes and no container runtime: these come with the cluster image.
set -eu
out=$1
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,iptables,ebtables,ethtool,conntrack,socat,ipset
packages=$packages,kmod,procps,iputils-ping,netbase,util-linux,mount,curl,gzip,zstd,openssl,hostname,libseccomp2,ca-certificates
sources=$(mktemp)
trap 'rm -f "$sources"' EXIT
# shellcheck disable=SC2016  # apt replaces these
apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' \
    'Created-By: Packages' 'Origin: Debian' | sort -u > "$sources"
rm -rf "$out.new"
mmdebstrap --quiet --mode=root --variant=minbase --skip=check/empty --include="$packages" \
    --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' '' "$out.new" "$sources"

root=$out.new
printf 'PermitRootLogin yes\nPasswordAuthentication yes\nUseDNS no\nMaxStartups 100\n' > "$root/etc/ssh/sshd_config.d/lab.conf"
rm -f "$root"/etc/ssh/ssh_host_*
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
# A host's time, devices, terminals and address are this machine's to give.
for unit in systemd-networkd.service systemd-resolved.service systemd-timesyncd.service systemd-logind.service \
    systemd-udevd.service console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
: > "$root/etc/machine-id"

# A kernel that has everything built in has no list of that: modprobe finds what is asked for in this one.
kernel=$(uname -r)
mkdir -p "$root/lib/modules/$kernel"
for module in net/bridge/br_netfilter fs/overlayfs/overlay net/netfilter/nf_conntrack net/netfilter/ipset/ip_set \
    net/netfilter/xt_conntrack net/ipv4/netfilter/ip_tables net/ipv4/netfilter/iptable_nat kernel/configs; do
    echo "kernel/$module.ko"
done > "$root/lib/modules/$kernel/modules.builtin"
: > "$root/lib/modules/$kernel/modules.order"
chroot "$root" depmod "$kernel" 2> /dev/null || true

# What systemd-nspawn gives read-only or shares with the machine is made the host's own at boot.
here=$(cd "$(dirname "$0")" && pwd)
install -m 755 "$here/host-init.sh" "$root/usr/lib/lab-host-init"
install -m 644 "$here/host-init.service" "$root/etc/systemd/system/lab-host-init.service"
mkdir -p "$root/etc/systemd/system/sysinit.target.wants"
ln -sf ../lab-host-init.service "$root/etc/systemd/system/sysinit.target.wants/"
rm -rf "$out" && mv "$root" "$out"
