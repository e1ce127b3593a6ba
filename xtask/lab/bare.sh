#!/bin/bash
# Makes a cluster of a master and a node by hand, with what is in an unpacked base image:
#   bare.sh ROOTFS SERVICES MASTER NODE
#
# What `sealer run` is measured beside: the same files, scripts and kubeadm, and nothing else. Root's
# password is in SEALER_LAB_PASSWORD. Names and certificate of the registry are made before the clock
# starts; each step prints how long it took, in seconds.
set -euo pipefail
rootfs=$1 services=$2 master=$3 node=$4
home=/var/lib/bare/rootfs
domain=sea.hub api=apiserver.cluster.local
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

on() {
    local host=$1
    shift
    SSHPASS=$SEALER_LAB_PASSWORD sshpass -e ssh -o LogLevel=ERROR -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null "root@$host" "$@"
}

# Runs a function for both hosts at once.
both() { "$1" "$master" & local one=$!; "$1" "$node" & wait $! && wait $one; }

step() {
    local begun=$EPOCHREALTIME name=$1
    shift
    "$@" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    awk -v name="$name" -v begun="$begun" -v now="$EPOCHREALTIME" 'BEGIN { printf "%s %.1f\n", name, now - begun }'
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$domain" \
    -addext "subjectAltName=DNS:$domain" -keyout "$work/$domain.key" -out "$work/$domain.crt" 2> /dev/null

copy() {
    local skip=(--exclude=./registry)
    [ "$1" != "$master" ] || skip=()
    tar -C "$rootfs" "${skip[@]}" -cf - . | on "$1" "mkdir -p $home && tar -C $home -xf -"
}

trust() {
    tar -C "$work" -cf - "$domain.crt" "$domain.key" |
        on "$1" "mkdir -p $home/certs /etc/docker/certs.d/$domain:5000 && tar -C $home/certs -xf - \
            && cp $home/certs/$domain.crt /etc/docker/certs.d/$domain:5000/ \
            && printf '%s\n' '$master $domain' '$master $api' >> /etc/hosts"
}

init_host() {
    on "$1" "cd $home && chmod +x scripts/* && cd scripts && export HostIP=$1 SvcCIDR=$services \
        && bash init.sh /var/lib/docker $domain 5000"
}

registry() { on "$master" "cd $home/scripts && sh init-registry.sh 5000 $home/registry $domain"; }

init() {
    sed -e "s|^kubernetesVersion:.*|&\ncontrolPlaneEndpoint: $api:6443|" \
        -e "s|^  criSocket:.*|&\n  kubeletExtraArgs: {node-ip: $master}\nlocalAPIEndpoint: {advertiseAddress: $master}|" \
        "$rootfs/etc/kubeadm.yml" > "$work/kubeadm.yml"
    on "$master" "cat > /root/kubeadm.yml && kubeadm init --config /root/kubeadm.yml --ignore-preflight-errors=SystemVerification" \
        < "$work/kubeadm.yml"
}

join() {
    local words token digest
    words=$(on "$master" kubeadm token create --print-join-command 2> /dev/null)
    token=$(grep -oE -- '--token [^ ]+' <<< "$words" | cut -d' ' -f2)
    digest=$(grep -oE 'sha256:[0-9a-f]+' <<< "$words")
    on "$node" "cat > /root/join.yml && kubeadm join --config /root/join.yml --ignore-preflight-errors=SystemVerification" << YAML
apiVersion: kubeadm.k8s.io/v1beta2
kind: JoinConfiguration
discovery: {bootstrapToken: {apiServerEndpoint: "$api:6443", token: $token, caCertHashes: ["$digest"]}}
nodeRegistration:
  criSocket: /run/containerd/containerd.sock
  kubeletExtraArgs: {node-ip: $node}
YAML
}

network() { on "$master" "cd $home && bash scripts/network.sh"; }

ready() {
    on "$master" 'for i in $(seq 600); do
        [ "$(kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes --no-headers | grep -cw Ready)" = 2 ] && exit 0
        sleep 0.5
    done; exit 1'
}

both trust
begun=$EPOCHREALTIME
step copy both copy
step init.sh both init_host
step init-registry.sh registry
step kubeadm-init init
step kubeadm-join join
step network network
step ready ready
awk -v begun="$begun" -v now="$EPOCHREALTIME" 'BEGIN { printf "all %.1f\n", now - begun }'
