#!/bin/bash
# Runs on every host before the image is removed from it.
if [ -f /run/nodes-api.pid ]; then
    kill "$(cat /run/nodes-api.pid)" 2>/dev/null
    rm -f /run/nodes-api.pid
fi
rm -rf /etc/kubernetes
echo "$(hostname): clean"
