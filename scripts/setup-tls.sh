#!/bin/sh
# The command of old; `inv setup-tls` does the work.
exec "$(dirname -- "$(readlink -f -- "$0")")/inv" setup-tls "$@"
