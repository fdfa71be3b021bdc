# The image of nginx with what compose.yaml mounts into it, for the nodes of a Swarm.
# Edit by hand freely; afterwards run `inv swarm.deploy`. .dockerignore says what can be copied.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
ARG LOG_FORMAT=text
RUN rm -rf /etc/nginx/conf.d
COPY nginx/gate-at-start /docker-entrypoint.d/30-gate.sh
COPY nginx/trusted-proxies /docker-entrypoint.d/25-trusted-proxies.sh
COPY nginx/nginx.conf nginx/gate /etc/nginx/
COPY nginx/snippets/ /etc/nginx/snippets/
COPY nginx/logs/${LOG_FORMAT}/ /etc/nginx/logs/text/
COPY nginx/conf.d/sites/ /etc/nginx/conf.d/
