#!/bin/sh
# Packages must not start their services while an image is built. 101 is the
# answer that says so (see invoke-rc.d): the container's command starts them.
exit 101
