#!/bin/sh
# Builds Kubernetes from Debian's source package with Debian's Go: kubernetes.sh VERSION WORK OUT
#
# The package ships a client only, but its source is whole. Two repairs make it build and run with
# Go 1.19: the generated OpenAPI files, which Debian leaves out, are generated; and reflect2, whose
# vendored version panics since Go 1.18, is Debian's own.
set -eu
version=$1 work=$2 out=$3 # e.g. v1.20.2
here=$(cd "$(dirname "$0")" && pwd)
tree=$work/go/src/k8s.io/kubernetes

export PATH="/usr/lib/go-1.19/bin:$PATH"
export GOPATH="$work/go" GOCACHE="$work/cache" GO111MODULE=off GOPROXY=off GOFLAGS= CGO_ENABLED=0

# The source package, by an apt configuration of our own: the machine's may name no sources.
fetch() {
    mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/source"
    # shellcheck disable=SC2016  # apt replaces these
    apt-get indextargets --format 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)' \
        'Created-By: Packages' 'Origin: Debian' | sort -u > "$work/apt/sources.list"
    set -- -qq -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt" -o APT::Sandbox::User=root
    apt-get "$@" update
    (cd "$work/source" && apt-get "$@" --only-source --download-only source kubernetes)
    rm -rf "$work/unpacked" && mkdir -p "$work/unpacked"
    (cd "$work/source" && dpkg-source --no-check -x ./*.dsc "$work/unpacked/kubernetes" > /dev/null)
    rm -rf "$tree" && mkdir -p "$(dirname "$tree")" && mv "$work/unpacked/kubernetes" "$tree"
}

repair() {
    rm -rf "$tree/vendor/github.com/modern-go/reflect2"
    cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 "$tree/vendor/github.com/modern-go/"
    cd "$tree"
    go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    base="vendor/k8s.io/apimachinery/pkg/apis/meta/v1 vendor/k8s.io/apimachinery/pkg/runtime vendor/k8s.io/apimachinery/pkg/version"
    # shellcheck disable=SC2086
    {
        openapi staging/src/k8s.io/apiextensions-apiserver/pkg/generated/openapi $base \
            $(marked vendor/k8s.io/apiextensions-apiserver/ vendor/k8s.io/api/autoscaling/v1/)
        openapi staging/src/k8s.io/kube-aggregator/pkg/generated/openapi $base \
            $(marked vendor/k8s.io/kube-aggregator/)
        openapi pkg/generated/openapi $(marked cmd pkg plugin vendor/k8s.io/*/ |
            grep -vE '/testdata|/_examples|k8s.io/(code-generator|sample-|gengo|kube-openapi)')
    }
}

# The packages of these folders that ask for an OpenAPI definition.
marked() {
    grep -rl --include='*.go' --exclude='*_test.go' '^// *+k8s:openapi-gen=' "$@" | xargs -n1 dirname | sort -u
}

openapi() {
    to=$1
    shift
    from=$(printf ',k8s.io/kubernetes/%s' "$@")
    "$work/openapi-gen" --logtostderr -i "${from#,}" -p "k8s.io/kubernetes/$to" -O zz_generated.openapi \
        -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$work/violations" \
        --output-base "$work/go/src"
}

# Our own programs are built inside the tree, with what it vendors.
build() {
    cd "$tree"
    for own in crictl addons; do
        rm -rf "cmd/$own" && mkdir "cmd/$own" && cp "$here/$own/"*.go "cmd/$own/"
    done
    number=${version#v}
    major=${number%%.*} rest=${number#*.}
    flags="-s -w"
    for package in component-base/version client-go/pkg/version; do
        for pair in gitVersion="$version" gitMajor="$major" gitMinor="${rest%%.*}" gitTreeState=clean \
            gitCommit=faecb196815e248d3ecfb03c680a4507229c2a56 buildDate=2021-01-13T13:20:00Z; do
            flags="$flags -X k8s.io/kubernetes/vendor/k8s.io/$package.$pair"
        done
    done
    mkdir -p "$out.new"
    # shellcheck disable=SC2046
    go build -trimpath -ldflags "$flags" -o "$out.new/" $(printf ' ./cmd/%s' kubeadm kubelet kubectl \
        kube-apiserver kube-controller-manager kube-scheduler kube-proxy crictl addons)
    rm -rf "$out" && mv "$out.new" "$out"
}

[ -e "$work/ready" ] || { fetch && repair && touch "$work/ready"; }
build
