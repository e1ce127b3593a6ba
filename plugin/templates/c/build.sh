#!/bin/sh
# Builds {{name}}.so. Needs a C compiler.
set -eu
cd "$(dirname "$0")"
cc -std=gnu99 -Wall -Wextra -O2 -shared -fPIC -D_GNU_SOURCE -o {{name}}.so {{name}}.c
