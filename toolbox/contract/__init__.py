"""What the host and the programs in containers agree on; both sides import it.

Only the standard library: the host has no driver for PostgreSQL, and the containers have
nothing of the host's.
"""
