#!/bin/bash
# Before the kubelet: swap is off, and Services can be reached from a host that has no default route.
#
# kube-proxy turns a Service's address into a pod's only for packets that have a route in the first place.
swapoff -a
if [ -n "${SERVICE_NETWORK:-}" ] && [ -n "${NODE_ADDRESS:-}" ]; then
    if ! ip route get "${SERVICE_NETWORK%/*}" > /dev/null 2>&1; then
        link=$(ip -o addr show to "$NODE_ADDRESS" | awk '{ print $2; exit }')
        [ -z "$link" ] || ip route replace "$SERVICE_NETWORK" dev "$link" src "$NODE_ADDRESS"
    fi
fi
exit 0
