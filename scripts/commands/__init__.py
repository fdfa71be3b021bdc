"""The commands: each loads, calls and shows.

A command imports what it calls in its own body: all commands are read for every call of `inv`,
and none has to wait for the imports of the others.
"""
