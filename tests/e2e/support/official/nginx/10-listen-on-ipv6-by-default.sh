#!/bin/sh
# Has the packaged default.conf listen on IPv6, too, as the official image's script of this name
# does: not where there is no such file, where it may not be written, and where it was changed.
set -e

file=/etc/nginx/conf.d/default.conf
say() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "${0##*/}: $1"; }

if [ ! -f /proc/net/if_inet6 ]; then
    say 'no IPv6 here'
elif [ ! -f "$file" ]; then
    say "no file $file"
elif ! touch "$file" 2>/dev/null; then
    say "read-only: $file"
elif grep -q '\[::\]:80;' "$file"; then
    say 'listens on IPv6 already'
elif [ "$(dpkg-query -Wf '${Conffiles}' nginx | awk -v f="$file" '$1 == f { print $2 }')" = \
    "$(md5sum "$file" | cut -d ' ' -f 1)" ]; then
    sed -i 's/^\( *\)listen  *80;/&\n\1listen  [::]:80;/' "$file"
else
    say "not as packaged: $file"
fi
