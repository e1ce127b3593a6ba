#!/bin/sh
# sealer-plugin: LIST_NODE
#
# The plugin of the owner's page as a script: lists the cluster's nodes, and leaves their names on
# every host it is for, as nodes.txt in the image's root there.
set -eu
nodes=$("$SEALER" plugin ask kube GET /api/v1/nodes) || {
    echo "cluster nodes not found: $nodes"
    exit 1
}
names=$(printf '%s' "$nodes" | grep -o '"metadata": *{ *"name": *"[^"]*"' | sed 's/.*"\([^"]*\)"$/\1/')
printf '%s\n' "$names"
for host in $SEALER_HOSTS; do
    # shellcheck disable=SC2086 # each name is a word
    "$SEALER" plugin ask exec "$host" "printf '%s\\n' $(echo $names) > $SEALER_ROOTFS/nodes.txt"
done
