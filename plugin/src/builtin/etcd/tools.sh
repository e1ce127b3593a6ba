# Before each of the ETCD plugin's scripts: etcd's tools, on the host or in the container of its static pod.
set -eu
data=/var/lib/etcd
pki=/etc/kubernetes/pki/etcd
manifests=/etc/kubernetes/manifests
aside=/etc/kubernetes/sealer-etcd

# The container runs while the static pod does.
container() { crictl ps --name '^etcd$' --quiet 2> /dev/null | head -n 1; }

# tool NAME ARGS...: fails with 127 where there is no such tool.
tool() {
    if command -v "$1" > /dev/null; then
        ETCDCTL_API=3 "$@"
        return
    fi
    id=$(container)
    [ -n "$id" ] || { echo "there is neither $1 nor a container of etcd" >&2; return 127; }
    crictl exec "$id" "$@"
}

ctl() {
    tool etcdctl --endpoints="${endpoints:-https://127.0.0.1:2379}" --cacert="$pki/ca.crt" \
        --cert="$pki/healthcheck-client.crt" --key="$pki/healthcheck-client.key" "$@"
}

runs() { [ -n "$(container)" ] || pgrep -x etcd > /dev/null; }
