#!/bin/sh
# Builds {{name}}.so. Needs Go 1.19 or later and a C compiler, and no network.
set -eu
cd "$(dirname "$0")"
export CGO_ENABLED=1 GOFLAGS=-mod=mod GOPROXY=off
go build -buildmode=c-shared -buildvcs=false -trimpath -ldflags='-s -w' -o {{name}}.so .
