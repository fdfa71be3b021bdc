#!/bin/sh
# Sets the number of Nginx's processes where somebody asks for it, as the official image's script
# of this name does; it puts up with an nginx.conf that it may not write. There the limits of the
# container are read as well.
set -eu

[ -n "${NGINX_ENTRYPOINT_WORKER_PROCESSES_AUTOTUNE:-}" ] || exit 0
file=/etc/nginx/nginx.conf
if ! touch "$file" 2>/dev/null; then
    echo "${0##*/}: read-only: $file" >&2
    exit 0
fi
sed -i.bak "s/^worker_processes .*/worker_processes $(nproc);/" "$file"
