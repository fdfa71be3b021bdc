"""Odoo's session store on Redis, for Odoo 18 and 19.

One hash for each 42-character identifier, a field for each session id under it:
revoking a device is one UNLINK, and a rotated session lies beside its successor.
"""

import json
import logging
import mmap
import struct
import time

import odoo_versions
import psycopg2
import redis
from odoo import http
from odoo.service import security
from odoo.tools import config
from psycopg2.pool import PoolError
from werkzeug.exceptions import ServiceUnavailable

from . import lua
from .settings import IDENTIFIER_LENGTH, memory, reason

_logger = logging.getLogger(__name__)
_QUIET_SECONDS = 60
_REST_SECONDS = 1  # after a failure nobody waits for Redis; else a hung one holds every worker
_BATCH = 1000
_ROTATED_SECONDS = odoo_versions.rotated_seconds(http)
_LARGEST_VISITOR = 16384  # bytes; a visitor who is not logged in needs no more
_CROWDED = 0.8  # of maxmemory: from here on the room is for those who log in
_CROWDED_SECONDS = 5


class Unavailable(ServiceUnavailable, PoolError):  # noqa: N818 - as werkzeug names them
    """503 for HTTP; for a websocket, which knows PoolError, 'try again later'."""

    def __init__(self):
        super().__init__("Sessions cannot be reached at the moment.", retry_after=5)
        # Otherwise a JSON-RPC route would make a reply with status 200 of it.
        self.error_response = self


class Full(Unavailable):
    """Redis answers, and takes nothing more: no memory (noeviction), or no disk."""


class RedisSessionStore(http.FilesystemSessionStore):
    """What http.root asks for sessions. Every method is one round trip, most of the time."""

    def __init__(self, settings, client):
        super().__init__(config.session_dir, session_class=http.Session, renew_missing=True)
        self.settings = settings
        self.client = client
        self._save = client.register_script(lua.SAVE)
        self._rotate = client.register_script(lua.ROTATE)
        self._replace = client.register_script(lua.REPLACE)
        self._forget = client.register_script(lua.FORGET)
        self._crowded = (float("-inf"), False)  # when it was looked up, and the answer
        self._rests_until = 0.0
        # Shared by the workers forked later, so that all of them together are quiet.
        self._complained = mmap.mmap(-1, 8)
        self._complained[:] = struct.pack("d", float("-inf"))

    # -- what Odoo calls

    def get(self, sid):
        if not self.is_valid_key(sid):
            return self.new()
        try:
            stored = self._ask(lambda: self.client.hget(*self._address(sid)))
        except Unavailable:
            if not _works_without_session():
                raise
            (session := self.new()).can_save = False
            return session
        data = _decode(stored)
        if not data or data.get("deletion_time", time.time() + 1) <= time.time():
            return self.new()
        return self.session_class(data, sid, False)

    def save(self, session, env=None):
        key, field = self._address(session.sid)
        data = json.dumps(dict(session))
        if not _is_login(session) and not self._has_room(data, session.is_new):
            return
        flags = [int(session.is_new), int("next_sid" in session)]
        arguments = [field, data, self._lifetime(session, env), *flags]
        try:
            answer = self._ask(lambda: self._save(keys=[key], args=arguments))
        except Full:
            if self._would_log_out(session):
                raise
            return  # an existing session goes on as it was; the log has the reason
        if answer == lua.TAKEN:
            session.sid = self.generate_key()
            session.update(self._renewed(session, env))
            self.save(session, env)
        elif answer:
            session.sid = answer
        else:
            session.is_new = False

    def delete(self, session):
        if session.is_new:  # the id may be one that is over, with a successor beside it
            return
        key, field = self._address(session.sid)
        self._ask(lambda: self._forget(keys=[key], args=[field]))

    def rotate(self, session, env, soft=False):
        if soft:
            self._rotate_softly(session, env)
        else:
            self._rotate_hard(session, env)

    def vacuum(self, max_lifetime=http.SESSION_LIFETIME):
        """Redis forgets by itself what has expired."""

    def delete_old_sessions(self, session):
        """Forget the predecessor of a session, once its two minutes are over (Odoo 19)."""
        late = time.time() - _ROTATED_SECONDS
        if "gc_previous_sessions" not in session or session["create_time"] >= late:
            return
        key = self.settings.key(session.sid)
        old = [f for f, s in self._ask(lambda: self.client.hgetall(key)).items() if _is_over(s)]
        if old:
            self._ask(lambda: self.client.hdel(key, *old))
        del session["gc_previous_sessions"]
        self.save(session)

    def get_missing_session_identifiers(self, identifiers):
        missing = set()
        for batch in _batches(list(identifiers)):
            pipe = self.client.pipeline(transaction=False)
            for identifier in batch:
                pipe.exists(self.settings.key(identifier))
            found = self._ask(pipe.execute)
            missing |= {i for i, exists in zip(batch, found, strict=True) if not exists}
        return missing

    def delete_from_identifiers(self, identifiers):
        valid = [i for i in identifiers if http._session_identifier_re.match(i)]
        if len(valid) < len(identifiers) and odoo_versions.refuses_odd_identifiers():
            raise ValueError("Identifier format incorrect, did you pass in a string?")
        for batch in _batches([self.settings.key(identifier) for identifier in valid]):
            self._ask(lambda batch=batch: self.client.unlink(*batch))

    # -- how it is done

    def _rotate_hard(self, session, env):
        """A new identifier; all that was known under the old one is forgotten."""
        old_key, old_field = self._address(session.sid)
        session.sid = self.generate_key()
        session.update(self._renewed(session, env))
        session.should_rotate = False
        key, field = self._address(session.sid)
        arguments = [
            field, json.dumps(dict(session)), self._lifetime(session, env), old_field,
            int(bool(session.get("_trace"))), int(session.is_new),
        ]  # fmt: skip
        try:
            self._ask(lambda: self._replace(keys=[key, old_key], args=arguments))
        except Full:
            if _is_login(session):  # it can be tried again
                raise
            if not session.is_new:  # a logout
                self._ask(lambda: self._forget(keys=[old_key], args=[old_field]))
        session.is_new = False

    def _rotate_softly(self, session, env):
        """Keep the identifier; the old session id stays good for two minutes."""
        old = session.sid
        next_sid = old[:IDENTIFIER_LENGTH] + self.generate_key()[IDENTIFIER_LENGTH:]
        leaving = {
            **session, "next_sid": next_sid, "deletion_time": time.time() + _ROTATED_SECONDS
        }  # fmt: skip
        session.sid = next_sid  # which the token is made for
        renewed = {**self._renewed(session, env), "gc_previous_sessions": True}
        following = {**session, **renewed}
        for name in {"next_sid", "deletion_time"} & set(following):
            del following[name]
        (key, before), (_, after) = self._address(old), self._address(next_sid)
        arguments = [
            before, json.dumps(leaving), after, json.dumps(following),
            self._lifetime(session, env), next_sid,
        ]  # fmt: skip
        session.sid = old
        session.should_rotate = False
        try:
            winner = self._ask(lambda: self._rotate(keys=[key], args=arguments))
        except Full:
            if self._would_log_out(session):
                raise
            return
        session.sid = winner or old
        if winner == next_sid:
            session.update(renewed)
            for name in {"next_sid", "deletion_time"} & set(session):
                del session[name]

    def _renewed(self, session, env):
        """What changes with the session id: the token that is made for it, and its age."""
        if not env and http.request:
            env = http.request.env
        renewed = {"create_time": time.time()}
        if session.uid and env:
            renewed["session_token"] = security.compute_session_token(session, env)
        return renewed

    def _would_log_out(self, session):
        """Whether a user who goes on with what is stored is none: a login, or a new password."""
        stored = _decode(self._ask(lambda: self.client.hget(*self._address(session.sid))))
        proofs = ("pre_uid", "session_token")
        return _is_login(session) and any(session.get(p) != stored.get(p) for p in proofs)

    def _has_room(self, data, is_new):
        """Whether a session of somebody who is not logged in may be kept, or even begun."""
        if len(data) > _LARGEST_VISITOR:
            self._complain(f"is spared a session of a visitor of {len(data)} bytes")
            return False
        if not is_new:
            return True
        looked, crowded = self._crowded
        if looked + _CROWDED_SECONDS < time.monotonic():
            said = self._ask(lambda: memory(self.client))
            most = said.get("maxmemory") or 0
            crowded = bool(most) and said["used_memory"] > _CROWDED * most
            self._crowded = (time.monotonic(), crowded)
        if crowded:
            self._complain("is nearly full, visitors get no session: raise REDIS_MAXMEMORY")
        return not crowded

    def _address(self, sid):
        return self.settings.key(sid), sid[IDENTIFIER_LENGTH:]

    def _lifetime(self, session, env):
        if not env and http.request:
            env = http.request.env
        try:
            lifetime = http.get_session_max_inactivity(env)
        except psycopg2.Error:  # the transaction failed before
            lifetime = http.SESSION_LIFETIME
        if not session.uid:
            lifetime = min(lifetime, self.settings.anonymous_lifetime)
        return max(1, lifetime)

    def _ask(self, question):
        """The answer of Redis; raises Unavailable, or Full where there is no room."""
        if time.monotonic() < self._rests_until:
            raise Unavailable
        try:
            return question()
        except redis.ResponseError as error:
            said = reason(error)
            if "maxmemory" in said:
                self._complain("is full, logins fail: raise REDIS_MAXMEMORY")
                raise Full from error
            if "MISCONF" in said:
                self._complain("cannot write its files, logins fail: is the disk full?")
                raise Full from error
            self._complain(f"refuses: {said}")
            raise Unavailable from error
        except redis.RedisError as error:
            self._rests_until = time.monotonic() + _REST_SECONDS
            self._complain(f"does not answer, requests with a session get 503: {error}")
            raise Unavailable from error

    def _complain(self, text):
        now = time.monotonic()
        if now - struct.unpack("d", self._complained[:])[0] >= _QUIET_SECONDS:
            self._complained[:] = struct.pack("d", now)
            _logger.error("Redis at %s %s", self.settings.place, text)


def _works_without_session():
    """Whether the request at hand is for a static file or for /web/health."""
    path = http.request.httprequest.path if http.request else ""
    return path == "/web/health" or bool(http.root.get_static_file(path))


def _is_login(session):
    """Whether it is of a user, or of one who gave the password and not yet the second factor."""
    return bool(session.uid or session.get("pre_uid"))


def _decode(stored):
    try:
        data = json.loads(stored or "{}")
    except ValueError:
        _logger.warning("A session in Redis is no JSON; it is taken for none")
        return {}
    return data if isinstance(data, dict) else {}


def _is_over(stored):
    return _decode(stored).get("deletion_time", time.time() + 1) <= time.time()


def _batches(items):
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
