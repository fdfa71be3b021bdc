#!/bin/sh
# The command of old; `inv health` does the work.
exec "$(dirname -- "$(readlink -f -- "$0")")/inv" health "$@"
