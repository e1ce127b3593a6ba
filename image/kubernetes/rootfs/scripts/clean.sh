#!/bin/bash
# Takes away what init.sh and a cluster made of a host. Each part may be missing.
here=$(cd "$(dirname "$0")" && pwd)
rootfs=${here%/*}

systemctl --quiet disable --now kubelet sealer-registry 2> /dev/null
# Containers first: what they hold open cannot be removed.
if [ -S /run/containerd/containerd.sock ] && command -v crictl > /dev/null; then
    for pod in $(crictl pods -q 2> /dev/null); do
        crictl stopp "$pod" > /dev/null 2>&1
        crictl rmp "$pod" > /dev/null 2>&1
    done
fi
mark='# Written by the cluster image.'
if grep -qxF "$mark" /etc/containerd/config.toml 2> /dev/null; then
    systemctl --quiet disable --now containerd
    for shim in $(pgrep -f '^/usr/bin/containerd-shim-runc-v2 '); do kill -9 "$shim"; done
    ours=yes
fi
for mount in $(awk '$2 ~ "^/(var/lib/kubelet|run/containerd|var/lib/containerd|run/netns/cni-)" { print $2 }' /proc/mounts | sort -r); do
    [ "$mount" = /var/lib/kubelet ] || [ "$mount" = /var/lib/containerd ] || umount -l "$mount" 2> /dev/null
done
for chains in iptables ip6tables; do
    command -v $chains > /dev/null || continue
    for table in filter nat mangle; do
        $chains-save -t $table 2> /dev/null | grep -vE 'KUBE-|CNI-|cali|FLANNEL' | $chains-restore -T $table 2> /dev/null
    done
done
for link in $(ip -o link show | awk -F'[ @:]+' '/veth|cni0|flannel|kube-ipvs|kube-dummy/ { print $2 }'); do
    ip link del "$link" 2> /dev/null
done
for network in /run/netns/cni-*; do [ -e "$network" ] && umount -l "$network" 2> /dev/null; rm -f "$network"; done
# shellcheck source=/dev/null
. /etc/default/kubelet 2> /dev/null
[ -z "${SERVICE_NETWORK:-}" ] || ip route del "$SERVICE_NETWORK" 2> /dev/null
for route in $(ip route show proto boot via 0.0.0.0/0 2> /dev/null | awk '/ via / && $1 != "default" { print $1 }'); do
    [ -e /etc/cni/net.d/10-routes.conflist ] && ip route del "$route" 2> /dev/null
done

empty() { find "$1" -mindepth 1 -delete 2> /dev/null; rmdir "$1" 2> /dev/null; }
for folder in /var/lib/kubelet /var/lib/etcd; do empty "$folder"; done
rm -rf /etc/kubernetes /etc/cni /opt/cni /var/lib/cni /var/log/pods /var/log/containers /root/.kube \
    /etc/sealer-registry /etc/docker/certs.d/sea.hub:* /run/kubernetes /var/lib/dockershim /var/run/kubernetes
rm -rf /etc/systemd/system/kubelet.service /etc/systemd/system/kubelet.service.d /etc/systemd/system/sealer-registry.service
rm -f /etc/default/kubelet /etc/crictl.yaml /etc/modules-load.d/sealer-kubernetes.conf \
    /etc/sysctl.d/99-sealer-kubernetes.conf /usr/bin/kubelet-pre-start.sh /usr/bin/sealer-registry \
    /usr/bin/kubeadm /usr/bin/kubelet /usr/bin/kubectl /usr/bin/crictl
rmdir /etc/docker/certs.d /etc/docker 2> /dev/null
if [ "${ours:-}" = yes ]; then
    empty /var/lib/containerd
    rm -rf /etc/containerd /run/containerd /etc/systemd/system/containerd.service
    for program in "$rootfs"/cri/bin/*; do rm -f "/usr/bin/${program##*/}"; done
fi
[ ! -e /etc/fstab.sealer ] || mv /etc/fstab.sealer /etc/fstab
sed -i -e '/ apiserver\.cluster\.local$/d' -e '/ sea\.hub$/d' /etc/hosts 2> /dev/null
systemctl daemon-reload
systemctl reset-failed 2> /dev/null
exit 0
