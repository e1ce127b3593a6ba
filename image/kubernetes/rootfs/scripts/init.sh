#!/bin/bash
# Prepares a host: init.sh STORAGE DOMAIN PORT
#
# STORAGE is of no use here; DOMAIN and PORT are those of the cluster's registry. Called on every
# host, with the folder of the scripts as working directory; may be called again.
set -euo pipefail
domain=${2:-sea.hub} port=${3:-5000}
bash containerd.sh "$domain" "$port"
bash init-kube.sh
