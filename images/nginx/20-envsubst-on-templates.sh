#!/bin/sh
# Fills in templates before Nginx starts, as the official image's script of this name
# does: every *.template below /etc/nginx/templates becomes a file of the same name,
# without the suffix and in the same sub-folder, below /etc/nginx/conf.d. Only
# variables of the environment are replaced; Nginx's own, such as $host, stay.
#
# NGINX_ENVSUBST_TEMPLATE_DIR, _TEMPLATE_SUFFIX and _OUTPUT_DIR name other places,
# NGINX_ENVSUBST_FILTER is a regular expression for the names that may be replaced.
# May be run again at any time, then `nginx -s reload`. Not here: stream templates.
set -eu

from=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
to=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}

log() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "${0##*/}: $*"; }

[ -d "$from" ] || exit 0
# As in the official image this stops nobody, and the folder must be there already.
if [ ! -w "$to" ]; then
    log "ERROR: $from exists, but $to is not writable"
    exit 0
fi

names=$(awk 'BEGIN {
    for (name in ENVIRON)
        if (name ~ ENVIRON["NGINX_ENVSUBST_FILTER"]) printf "${%s} ", name
}')

find -L "$from" -type f -name "*$suffix" | while IFS= read -r template; do
    relative=${template#"$from"/}
    target=$to/${relative%"$suffix"}
    log "writing $target"
    mkdir -p "${target%/*}"
    # Whole or not at all: a reload may happen at this very moment.
    envsubst "$names" < "$template" > "$target.new~"
    mv -f "$target.new~" "$target"
done
