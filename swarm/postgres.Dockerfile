# The image of postgres with what compose.yaml mounts into it, for the nodes of a Swarm.
# Edit by hand freely; afterwards run `inv swarm.deploy`. .dockerignore says what can be copied.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY postgres/initdb.d/ /docker-entrypoint-initdb.d/
COPY postgres/ /etc/platform/
