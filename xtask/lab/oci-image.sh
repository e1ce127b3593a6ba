#!/bin/sh
# Makes an OCI image layout with one layer: oci-image.sh OUT ROOT ENTRYPOINT...
set -eu
out=$1 root=$2
shift 2
mkdir -p "$out/blobs/sha256"

# Puts standard input into the layout and prints its digest and size.
blob() {
    cat > "$out/blob"
    digest=$(sha256sum < "$out/blob" | cut -d' ' -f1)
    size=$(stat -c %s "$out/blob")
    mv "$out/blob" "$out/blobs/sha256/$digest"
    echo "$digest $size"
}

pack() { tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - .; }
content=$(pack | sha256sum | cut -d' ' -f1)
# shellcheck disable=SC2046
set -- $(pack | gzip -n1 | blob) "$@"
layer=$1 layer_size=$2
shift 2
entry=$(printf ',"%s"' "$@")
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# shellcheck disable=SC2046
set -- $(printf '{"created":"1970-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"Env":["PATH=%s"],"Entrypoint":[%s]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$path" "${entry#,}" "$content" | blob)
type=application/vnd.oci.image
# shellcheck disable=SC2046
set -- $(printf '{"schemaVersion":2,"mediaType":"%s.manifest.v1+json","config":{"mediaType":"%s.config.v1+json","digest":"sha256:%s","size":%s},"layers":[{"mediaType":"%s.layer.v1.tar+gzip","digest":"sha256:%s","size":%s}]}' \
    "$type" "$type" "$1" "$2" "$type" "$layer" "$layer_size" | blob)
printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s.manifest.v1+json","digest":"sha256:%s","size":%s}]}' "$type" "$1" "$2" > "$out/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' > "$out/oci-layout"
