"""A store of its own in the Redis of the installation, under another prefix."""

import secrets
from dataclasses import replace

from odoo import http

from ..store import RedisSessionStore


def scratch_store():
    """A store nobody else sees; `forget(store)` removes what it holds."""
    ours = http.root.session_store
    prefix = f"test-{secrets.token_hex(4)}:"
    return RedisSessionStore(replace(ours.settings, prefix=prefix), ours.client)


def forget(store):
    keys = list(store.client.scan_iter(match=store.settings.prefix + "*", count=1000))
    if keys:
        store.client.unlink(*keys)


def saved(store, **values):
    """A stored session, loaded as a request would load it."""
    session = store.new()
    session.update({**http.get_default_session(), **values})
    store.save(session)
    return store.get(session.sid)
