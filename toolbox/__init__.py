"""What runs inside containers: `toolbox.backup` and `toolbox.modules`. Edit by hand freely.

compose.yaml mounts this folder read-only, with PYTHONPATH, as /opt/platform/toolbox.
"""
