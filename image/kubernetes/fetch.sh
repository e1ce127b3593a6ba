#!/bin/sh
# Brings programs and container images into rootfs/, so that `sealer build` can make the image:
#   fetch.sh --from DIR          takes them from a folder
#
# The folder has bin/ (kubeadm, kubelet, kubectl, crictl), cri/bin/ (containerd, its shim, ctr, runc),
# cri/cni/ (network plugins), cri/registry, images/list (lines of REFERENCE NAME) with an OCI image
# layout images/NAME for each, etc/ (kubeadm.yml, pause-image), and manifests/.
# Needs skopeo and docker-registry.
set -eu
usage() { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
rootfs=$here/rootfs
[ $# = 2 ] || usage

# Serves rootfs/registry, to be pushed to, for as long as this script runs.
serve() {
    state=$(mktemp -d)
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
    trap 'kill $registry; wait $registry 2> /dev/null || true; rm -rf "$state"' EXIT
    for _ in $(seq 100); do
        grep -q "$(printf ':%04X 0.* 0A ' $port)" /proc/net/tcp /proc/net/tcp6 && return
        sleep 0.1
    done
    cat "$state/log" >&2
    exit 1
}

# push SOURCE REFERENCE: under the name without its domain, as every mirror is asked.
push() {
    name=${2#*/}
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

case $1 in
    --from) from_folder "$(cd "$2" && pwd)" ;;
    *) usage ;;
esac
version=$(awk '$1 == "kubernetesVersion:" { print $2 }' "$rootfs/etc/kubeadm.yml")
printf '{"version":"%s","arch":"amd64","variant":"","kubeVersion":"","NydusFlag":false}\n' "$version" > "$rootfs/Metadata"
