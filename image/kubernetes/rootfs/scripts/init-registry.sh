#!/bin/sh
# Serves the image's container images on this host: init-registry.sh PORT VOLUME DOMAIN
set -eu
port=$1 volume=$2 domain=${3:-sea.hub}
rootfs=$(cd "$(dirname "$0")/.." && pwd)
home=/etc/sealer-registry

mkdir -p "$home"
cmp -s "$rootfs/cri/registry" /usr/bin/sealer-registry || {
    cp "$rootfs/cri/registry" /usr/bin/sealer-registry.new
    chmod 755 /usr/bin/sealer-registry.new
    mv /usr/bin/sealer-registry.new /usr/bin/sealer-registry
}
cp "$rootfs/certs/$domain.crt" "$home/tls.crt"
(umask 077 && cp "$rootfs/certs/$domain.key" "$home/tls.key")
sed -e "s|@PORT@|$port|" -e "s|@VOLUME@|$volume|" "$rootfs/etc/registry_config.yml" > "$home/config.yml"
if [ -f "$rootfs/etc/registry_htpasswd" ]; then
    cp "$rootfs/etc/registry_htpasswd" "$home/htpasswd"
    printf 'auth:\n  htpasswd:\n    realm: %s\n    path: %s/htpasswd\n' "$domain" "$home" >> "$home/config.yml"
fi
cp "$rootfs/etc/sealer-registry.service" /etc/systemd/system/sealer-registry.service
systemctl daemon-reload
systemctl --quiet enable sealer-registry
systemctl restart sealer-registry

# It listens when the kernel says so.
hex=$(printf ':%04X 0' "$port")
for _ in $(seq 300); do
    if cat /proc/net/tcp /proc/net/tcp6 2> /dev/null | grep -q "$hex.* 0A "; then exit 0; fi
    systemctl --quiet is-active sealer-registry || break
    sleep 0.1
done
journalctl -u sealer-registry -n 20 --no-pager >&2 || true
echo "the registry does not listen on port $port" >&2
exit 1
