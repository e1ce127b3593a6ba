#!/bin/sh
# Puts together what image/kubernetes/fetch.sh takes from a folder: parts.sh VERSION PROGRAMS ROOT OUT
#
# PROGRAMS is what kubernetes.sh built, ROOT what root.sh made. The container runtime, the registry
# and etcd are Debian's.
set -eu
version=$1 programs=$2 root=$3 out=$4
here=$(cd "$(dirname "$0")" && pwd)
new=$out.new
rm -rf "$new" && mkdir -p "$new/bin" "$new/cri/bin" "$new/cri/cni" "$new/images" "$new/etc" "$new/manifests/network"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

mkdir "$work/packages" "$work/debian"
(cd "$work/packages" && apt-get -qq -o APT::Sandbox::User=root download containerd runc containernetworking-plugins \
    docker-registry etcd-server etcd-client)
for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/debian"; done

for program in kubeadm kubelet kubectl crictl; do cp "$programs/$program" "$new/bin/"; done
for program in containerd containerd-shim-runc-v2 ctr; do cp "$work/debian/usr/bin/$program" "$new/cri/bin/"; done
cp "$work/debian/usr/sbin/runc" "$new/cri/bin/"
cp "$work/debian/usr/bin/docker-registry" "$new/cri/registry"
for plugin in ptp bridge host-local portmap loopback; do cp "$work/debian/usr/lib/cni/$plugin" "$new/cri/cni/"; done

# The libraries that a program of the shared root, or of a package, is linked with.
libraries() {
    to=$1
    shift
    for program; do
        ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do
            mkdir -p "$to$(dirname "$library")"
            cp -L "$root$library" "$to$library"
        done
    done
}

# image NAME REFERENCE ENTRYPOINT...: from $work/NAME
image() {
    name=$1 reference=$2
    shift 2
    mkdir -p "$work/$name/tmp"
    sh "$here/oci-image.sh" "$new/images/$name" "$work/$name" "$@"
    echo "$reference $name" >> "$new/images/list"
}

put() { mkdir -p "$work/$1/usr/local/bin" && cp "$2" "$work/$1/usr/local/bin/"; }

for program in kube-apiserver kube-controller-manager kube-scheduler; do
    put $program "$programs/$program"
    image $program "k8s.gcr.io/$program:$version" "/usr/local/bin/$program"
done
put etcd "$work/debian/usr/bin/etcd"
put etcd "$work/debian/usr/bin/etcdctl"
libraries "$work/etcd" "$work/debian/usr/bin/etcd"
etcd=$("$work/debian/usr/bin/etcd" --version | awk '/^etcd Version/ { print $3 }')
image etcd "k8s.gcr.io/etcd:$etcd" /usr/local/bin/etcd

mkdir -p "$work/pause"
gcc -Os -static -o "$work/pause/pause" "$here/pause.c"
image pause k8s.gcr.io/pause:3.2 /pause
echo k8s.gcr.io/pause:3.2 > "$new/etc/pause-image"

# Without these programs and all their libraries, kube-proxy runs and does nothing.
proxy=$work/kube-proxy
mkdir -p "$proxy/usr/sbin" "$proxy/usr/lib/x86_64-linux-gnu" "$proxy/etc" "$proxy/run" "$proxy/var/lib"
ln -s usr/sbin "$proxy/sbin"
for link in lib lib64 bin; do ln -s "usr/$link" "$proxy/$link"; mkdir -p "$proxy/usr/$link"; done
cp -a "$root"/usr/sbin/iptables* "$root"/usr/sbin/ip6tables* "$root"/usr/sbin/xtables* "$root"/usr/sbin/conntrack "$proxy/usr/sbin/"
cp -a "$(find "$root/usr/sbin" "$root/sbin" -name ipset | head -1)" "$proxy/usr/sbin/"
cp -a "$root/etc/alternatives" "$proxy/etc/"
cp -a "$root/usr/lib/x86_64-linux-gnu/xtables" "$proxy/usr/lib/x86_64-linux-gnu/"
for program in xtables-nft-multi xtables-legacy-multi conntrack ipset; do
    chroot "$root" ldd "/usr/sbin/$program" | grep -oE '/[^ ]+' | while read -r library; do
        mkdir -p "$proxy$(dirname "$library")"
        cp -L "$root$library" "$proxy$library"
    done
done
find "$proxy/usr/lib/x86_64-linux-gnu/xtables" -name '*.so' | sed "s|^$proxy||" | while read -r plugin; do
    chroot "$root" ldd "$plugin" | grep -oE '/[^ ]+' | while read -r library; do
        [ -e "$proxy$library" ] || { mkdir -p "$proxy$(dirname "$library")" && cp -L "$root$library" "$proxy$library"; }
    done
done
put kube-proxy "$programs/kube-proxy"
image kube-proxy "k8s.gcr.io/kube-proxy:$version" /usr/local/bin/kube-proxy

# What stands in for images that no package gives: see addons/main.go.
for name in dns network web; do
    mkdir -p "$work/$name" && cp "$programs/addons" "$work/$name/"
    image $name "$([ $name = dns ] && echo k8s.gcr.io/coredns:1.7.0 || echo "lab.local/$name:lab")" /addons $name
done
cp "$here/network.yaml" "$new/manifests/network/"

cat > "$new/etc/kubeadm.yml" <<YAML
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterConfiguration
kubernetesVersion: $version
networking:
  podSubnet: 100.64.0.0/16
  serviceSubnet: 10.96.0.0/22
etcd:
  local:
    imageTag: $etcd
dns:
  type: CoreDNS
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
nodeRegistration:
  criSocket: /run/containerd/containerd.sock
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
# The hosts share one disk, which may be rather full.
imageGCHighThresholdPercent: 100
evictionHard:
  memory.available: 50Mi
  nodefs.available: 1%
  imagefs.available: 1%
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
# The kernel is all hosts' together: none may change its limits.
conntrack:
  maxPerCore: 0
YAML
rm -rf "$out" && mv "$new" "$out"
