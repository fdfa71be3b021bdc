#!/bin/sh
# Fills in templates, as the official image's script of this name does: straight into the file,
# of which a reader may see the half, and nothing where the folder cannot be written. Not here:
# stream templates, which the platform has none of.
set -e

from=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
to=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
say() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "${0##*/}: $1"; }

[ -d "$from" ] || exit 0
if [ ! -w "$to" ]; then
    say "error: $to cannot be written"
    exit 0
fi
# The filter is part of awk's program: a slash in it would end the pattern.
names=$(awk "BEGIN { for (n in ENVIRON) if (n ~ /${NGINX_ENVSUBST_FILTER:-}/) printf \"\${%s} \", n }")
find "$from" -follow -type f -name "*$suffix" | while read -r template; do
    name=${template#"$from/"}
    mkdir -p "$to/$(dirname "$name")"
    say "from $template to $to/${name%"$suffix"}"
    envsubst "$names" <"$template" >"$to/${name%"$suffix"}"
done
