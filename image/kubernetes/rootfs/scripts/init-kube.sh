#!/bin/bash
# Makes a host ready for kubeadm: kernel, swap, programs, the kubelet's unit. May be called again.
set -euo pipefail
rootfs=$(cd .. && pwd)

printf 'br_netfilter\noverlay\n' > /etc/modules-load.d/sealer-kubernetes.conf
for module in br_netfilter overlay nf_conntrack; do modprobe "$module" 2> /dev/null || true; done
cat > /etc/sysctl.d/99-sealer-kubernetes.conf <<'CONF'
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
net.ipv4.ip_forward = 1
net.ipv4.conf.all.rp_filter = 0
CONF
sysctl -q -e -p /etc/sysctl.d/99-sealer-kubernetes.conf
for firewall in firewalld ufw; do
    if systemctl --quiet is-active "$firewall"; then systemctl --quiet disable --now "$firewall"; fi
done
if [ -n "$(tail -n +2 /proc/swaps)" ]; then
    swapoff -a
    sed -i.sealer -E 's|^([^#].*[[:space:]]swap[[:space:]].*)$|# sealer: \1|' /etc/fstab
fi
if command -v setenforce > /dev/null 2>&1; then setenforce 0 || true; fi

place() {
    cmp -s "$1" "$2" || { cp "$1" "$2.new" && chmod "$3" "$2.new" && mv "$2.new" "$2"; }
}
for program in kubeadm kubelet kubectl crictl; do place "$rootfs/bin/$program" "/usr/bin/$program" 755; done
place "$rootfs/scripts/kubelet-pre-start.sh" /usr/bin/kubelet-pre-start.sh 755
mkdir -p /etc/systemd/system/kubelet.service.d
place "$rootfs/etc/kubelet.service" /etc/systemd/system/kubelet.service 644
place "$rootfs/etc/10-kubeadm.conf" /etc/systemd/system/kubelet.service.d/10-kubeadm.conf 644
mkdir -p /etc/default
cat > /etc/default/kubelet <<CONF
KUBELET_EXTRA_ARGS=--cgroup-driver=$(bash cgroup-driver.sh)
SERVICE_NETWORK=${SvcCIDR:-}
NODE_ADDRESS=${HostIP:-}
CONF
printf 'runtime-endpoint: unix:///run/containerd/containerd.sock\n' > /etc/crictl.yaml
systemctl daemon-reload
systemctl --quiet enable kubelet
