"""Puts the store into Odoo, or ends the program with one line that says why not."""

import logging
import os
import ssl
import sys
import time
from pathlib import Path

import odoo_versions
import redis
from odoo import http
from odoo.tools import config
from redis.sentinel import MasterNotFoundError

from . import connection, files
from .settings import Settings, SettingsError, reason
from .store import RedisSessionStore

_logger = logging.getLogger(__name__)
_START_SECONDS = 15  # Redis may be started beside Odoo, or be reading its file


def install():
    """Put the store in place of Odoo's own, or end the program with one line that says why."""
    try:
        settings = Settings.load(odoo_versions.configuration_file(config), os.environ)
        client = settings.client(connection.KINDS)
    except SettingsError as error:
        sys.exit(f"session_redis: {error}")
    store = RedisSessionStore(settings, client)
    if config["http_enable"] and not config["stop_after_init"] and not _is_shell():
        _begin(store)
    for each in (client, *_sentinels(client)):
        each.connection_pool.disconnect()  # what is forked opens sockets of its own
    http.Application.session_store = store
    http.root.__dict__.pop("session_store", None)


def _is_shell():
    """Whether this is `odoo shell`, which serves nobody whatever http_enable says."""
    words = [word for word in sys.argv[1:] if not word.startswith("--addons-path=")]
    return words[:1] == ["shell"]


def _begin(store):
    """Make sure that Redis takes our password, and bring the sessions kept in files."""
    settings = store.settings
    place = f"session_redis: Redis at {settings.place}"
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            store.client.exists(settings.key("none"))
            break
        except redis.RedisError as failed:
            error = _cause(store.client, failed)
        if isinstance(error, (redis.AuthenticationError, redis.ResponseError)):
            sys.exit(
                f"{place} refuses us, see password_file: {error}"
                " (after a change of its password: inv restart)"
            )
        if isinstance(error.__context__, ssl.SSLCertVerificationError):
            sys.exit(f"{place} cannot be trusted, see tls_ca_file: {error}")
        if time.monotonic() > deadline:
            sys.exit(f"{place} cannot be reached: {error}")
        time.sleep(0.5)
    try:
        folder = Path(store.path)
        moved = files.move(folder, store.client, settings.prefix, settings.anonymous_lifetime)
    except (redis.RedisError, OSError) as error:
        # Those who have a session in Redis go on; `inv sessions.import` tries again.
        _logger.error("%s did not take the sessions kept in files: %s", place, reason(error))
        moved = 0
    if moved:
        _logger.info("%d sessions kept in files are in Redis now", moved)
    _logger.info("HTTP sessions are in Redis at %s", settings.place)


def _sentinels(client):
    """Those that are asked for the master, as clients; none where Redis has one address."""
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    return manager.sentinels if manager else []


def _cause(client, failed):
    """Why no master was found: what the first Sentinel says that does not answer, or `failed`."""
    if isinstance(failed, MasterNotFoundError):
        for sentinel in _sentinels(client):
            try:
                sentinel.sentinel_masters()
            except redis.RedisError as error:
                return error
    return failed
