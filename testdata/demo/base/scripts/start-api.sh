#!/bin/bash
# Runs on the first master as the image's CMD, where `kubeadm init` would run: starts what stands in
# for the API server here. sealer gives HostIP, MasterIPs and NodeIPs to every script.
set -e
cd "$(dirname "$0")/.."
config=/etc/kubernetes/admin.conf
if [ -f /run/nodes-api.pid ] && kill -0 "$(cat /run/nodes-api.pid)" 2> /dev/null; then
    echo "nodes-api answers at $HostIP:6443 already"
    exit
fi
rm -f "$config"
# shellcheck disable=SC2086 # the lists are words
setsid bin/nodes-api "$HostIP:6443" "$config" $MasterIPs $NodeIPs > /run/nodes-api.log 2>&1 < /dev/null &
echo $! > /run/nodes-api.pid
for _ in {1..100}; do
    if [ -f "$config" ]; then
        echo "nodes-api answers at $HostIP:6443"
        exit
    fi
    sleep 0.1
done
cat /run/nodes-api.log
exit 1
