# The image of odoo with what compose.yaml mounts into it, for the nodes of a Swarm.
# Edit by hand freely; afterwards run `inv swarm.deploy`. .dockerignore says what can be copied.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY odoo/*.* /etc/odoo/
COPY odoo/enterprise/ /mnt/enterprise/
COPY odoo/addons/ /mnt/extra-addons/
