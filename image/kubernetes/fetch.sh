#!/bin/bash
# Brings programs and container images into rootfs/, so that `sealer build` can make the image:
#   fetch.sh --from DIR          takes them from a folder
#   fetch.sh --release VERSION   takes them from the projects' releases: fetch.sh --release v1.31.4
#
# The folder has bin/ (kubeadm, kubelet, kubectl, crictl), cri/bin/ (containerd, its shim, ctr, runc),
# cri/cni/ (network plugins), cri/registry, images/list (lines of REFERENCE NAME) with an OCI image
# layout images/NAME for each, etc/ (kubeadm.yml, pause-image), and manifests/.
# Needs skopeo and docker-registry; with --release also curl, and a way to KUBERNETES and DOWNLOADS,
# which stand for the release sites where a mirror is nearer. The pods' network is not among them: put
# its manifests into rootfs/manifests/network, and name its images in EXTRA_IMAGES.
set -euo pipefail
usage() { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
rootfs=$here/rootfs
[ $# = 2 ] || usage

kubernetes=${KUBERNETES:-https://dl.k8s.io/release}
downloads=${DOWNLOADS:-https://github.com}
containerd=${CONTAINERD_VERSION:-1.7.27}
runc=${RUNC_VERSION:-1.2.6}
cni=${CNI_VERSION:-1.6.2}
registry_version=${REGISTRY_VERSION:-2.8.3}
state=$(mktemp -d)
registry=
leave() {
    if [ -n "$registry" ]; then kill "$registry"; wait "$registry" 2> /dev/null || true; fi
    rm -rf "$state"
}
trap leave EXIT

# Serves rootfs/registry, to be pushed to, for as long as this script runs.
serve() {
    port=5000
    while grep -q "$(printf ':%04X ' $port)" /proc/net/tcp /proc/net/tcp6; do port=$((port + 1)); done
    cat > "$state/config.yml" <<YAML
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $rootfs/registry}}
http: {addr: 127.0.0.1:$port}
YAML
    docker-registry serve "$state/config.yml" > "$state/log" 2>&1 &
    registry=$!
    for _ in $(seq 100); do
        grep -q "$(printf ':%04X 0.* 0A ' $port)" /proc/net/tcp /proc/net/tcp6 && return
        sleep 0.1
    done
    cat "$state/log" >&2
    exit 1
}

# push SOURCE REFERENCE: under the name without its domain, as every mirror is asked.
push() {
    local name=${2#*/}
    skopeo copy --quiet --insecure-policy --dest-tls-verify=false "$1" "docker://127.0.0.1:$port/$name"
}

from_folder() {
    rm -rf "$rootfs/bin" "$rootfs/cri" "$rootfs/manifests" "$rootfs/registry"
    mkdir -p "$rootfs/registry"
    cp -a "$1/bin" "$1/cri" "$1/etc" "$rootfs/"
    [ ! -d "$1/manifests" ] || cp -a "$1/manifests" "$rootfs/"
    serve
    while read -r reference name; do push "oci:$1/images/$name" "$reference"; done < "$1/images/list"
}

# get URL FILE [DIGESTS]: DIGESTS is a URL of SHA-256 digests, alone or before names.
get() {
    local digest
    curl -fsSL --retry 3 -o "$2" "$1"
    digest=$(curl -fsSL --retry 3 "${3:-$1.sha256}" | awk -v name="${1##*/}" 'NF == 1 || $2 == name || $2 == "*" name { print $1; exit }')
    echo "$digest  $2" | sha256sum --check --quiet
}

from_release() {
    local version=$1 program reference site minor
    minor=${version%.*}
    rm -rf "$rootfs/bin" "$rootfs/cri" "$rootfs/registry"
    mkdir -p "$rootfs/bin" "$rootfs/cri/bin" "$rootfs/cri/cni" "$rootfs/registry"
    for program in kubeadm kubelet kubectl; do
        get "$kubernetes/$version/bin/linux/amd64/$program" "$rootfs/bin/$program"
        chmod 755 "$rootfs/bin/$program"
    done
    site=$downloads/kubernetes-sigs/cri-tools/releases/download/${CRICTL_VERSION:-$minor.0}
    get "$site/crictl-${CRICTL_VERSION:-$minor.0}-linux-amd64.tar.gz" "$state/crictl.tgz"
    tar -C "$rootfs/bin" -xzf "$state/crictl.tgz" crictl
    site=$downloads/containerd/containerd/releases/download/v$containerd
    get "$site/containerd-$containerd-linux-amd64.tar.gz" "$state/containerd.tgz" \
        "$site/containerd-$containerd-linux-amd64.tar.gz.sha256sum"
    tar -C "$rootfs/cri" -xzf "$state/containerd.tgz" bin/containerd bin/containerd-shim-runc-v2 bin/ctr
    site=$downloads/opencontainers/runc/releases/download/v$runc
    get "$site/runc.amd64" "$rootfs/cri/bin/runc" "$site/runc.sha256sum"
    chmod 755 "$rootfs/cri/bin/runc"
    site=$downloads/containernetworking/plugins/releases/download/v$cni
    get "$site/cni-plugins-linux-amd64-v$cni.tgz" "$state/cni.tgz"
    tar -C "$rootfs/cri/cni" -xzf "$state/cni.tgz"
    site=$downloads/distribution/distribution/releases/download/v$registry_version
    get "$site/registry_${registry_version}_linux_amd64.tar.gz" "$state/registry.tgz"
    tar -xzf "$state/registry.tgz" -O registry > "$rootfs/cri/registry"
    chmod 755 "$rootfs/cri/registry"
    "$rootfs/bin/kubeadm" config images list --kubernetes-version "$version" > "$state/images"
    grep '/pause:' "$state/images" > "$rootfs/etc/pause-image"
    "$rootfs/bin/kubeadm" config print init-defaults | sed -n 's|^apiVersion: \(kubeadm.*\)|\1|p' | head -n 1 > "$state/api"
    cat > "$rootfs/etc/kubeadm.yml" <<YAML
apiVersion: $(cat "$state/api")
kind: ClusterConfiguration
kubernetesVersion: $version
networking:
  podSubnet: 100.64.0.0/10
  serviceSubnet: 10.96.0.0/22
---
apiVersion: $(cat "$state/api")
kind: InitConfiguration
nodeRegistration:
  criSocket: unix:///run/containerd/containerd.sock
YAML
    serve
    # shellcheck disable=SC2086
    printf '%s\n' ${EXTRA_IMAGES:-} | cat "$state/images" - | while read -r reference; do
        [ -z "$reference" ] || push "docker://$reference" "$reference"
    done
}

case $1 in
    --from) from_folder "$(cd "$2" && pwd)" ;;
    --release) from_release "$2" ;;
    *) usage ;;
esac
version=$(awk '$1 == "kubernetesVersion:" { print $2 }' "$rootfs/etc/kubeadm.yml")
printf '{"version":"%s","arch":"amd64","variant":"","kubeVersion":"","NydusFlag":false}\n' "$version" > "$rootfs/Metadata"
