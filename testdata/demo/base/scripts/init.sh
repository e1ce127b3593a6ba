#!/bin/bash
# Runs on every host once the image is there: init.sh STORAGE REGISTRY_DOMAIN REGISTRY_PORT.
set -e
mkdir -p /etc/kubernetes
echo "$(hostname): ready, registry $2:$3"
