#!/bin/bash
# Gives pods a network: applies what the image has in manifests/network, if anything.
set -euo pipefail
export KUBECONFIG=/etc/kubernetes/admin.conf
if [ -d manifests/network ]; then kubectl apply -f manifests/network; fi
