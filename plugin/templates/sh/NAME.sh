#!/bin/sh
# sealer-plugin: {{TYPE}}
#
# {{name}}: asks every host for its kernel, and reports a line each. The line above makes a plugin of
# this script: its type, and behind that the verbs it knows besides `run` (describe, validate, plan,
# undo), of which it has none. The verb is its argument.
#
# What is printed is shown, and an exit status other than 0 is a failure. `"$SEALER" plugin ask` asks
# sealer for things; SEALER_PHASE, SEALER_HOSTS, SEALER_DATA and others say what the call is for.
set -eu
for host in $SEALER_HOSTS; do
    kernel=$("$SEALER" plugin ask exec "$host" 'uname -r')
    echo "$host: $kernel"
done
