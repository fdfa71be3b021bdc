import time
from unittest.mock import patch

import odoo_versions
import redis
from odoo import http
from odoo.service import security
from odoo.tests import TransactionCase, tagged

from ..store import Full, RedisSessionStore, Unavailable
from .common import forget, saved, scratch_store


@tagged("post_install", "-at_install")
class TestStore(TransactionCase):
    def setUp(self):
        super().setUp()
        self.store = scratch_store()
        self.addCleanup(forget, self.store)
        self.client = self.store.client
        self.user = self.env.ref("base.user_admin")
        self.login = {"uid": self.user.id, "login": self.user.login, "db": self.env.cr.dbname}

    def key(self, session):
        return self.store.settings.key(session.sid)

    def alive(self, sid):
        return bool(self.store.get(sid))

    def assert_valid(self, session):
        """Odoo takes `session` for one of a user, with the token for its own id."""
        self.assertEqual(session["uid"], self.user.id)
        token = security.compute_session_token(session, self.env)
        self.assertEqual(session["session_token"], token)

    def fails(self, error):
        """Redis gives `error` instead of an answer, to whatever it is asked."""
        return patch.object(redis.Connection, "read_response", side_effect=error)

    def test_this_server_keeps_its_sessions_in_redis(self):
        self.assertIsInstance(http.root.session_store, RedisSessionStore)

    def test_an_unknown_session_id_gives_an_empty_false_session(self):
        session = self.store.get(self.store.generate_key())
        self.assertFalse(session)
        self.assertTrue(session.is_new)
        self.assertFalse(self.store.get("../../etc/passwd"))

    def test_what_is_saved_is_loaded_and_is_json(self):
        session = saved(self.store, cart=[1, 2], name="Zoë")
        self.assertEqual(session["cart"], [1, 2])
        self.assertEqual(session["name"], "Zoë")
        self.assertFalse(session.is_new)
        self.assertTrue(self.client.hvals(self.key(session))[0].startswith("{"))

    def test_a_visitor_is_forgotten_sooner_than_a_user(self):
        visitor, user = saved(self.store), saved(self.store, **self.login)
        self.assertAlmostEqual(
            self.client.ttl(self.key(visitor)), self.store.settings.anonymous_lifetime, delta=5
        )
        self.assertAlmostEqual(self.client.ttl(self.key(user)), http.SESSION_LIFETIME, delta=5)

    def test_the_lifetime_is_the_parameter_of_the_database(self):
        self.env["ir.config_parameter"].set_param("sessions.max_inactivity_seconds", 3600)
        session = saved(self.store, **self.login)
        self.store.save(session, self.env)
        self.assertAlmostEqual(self.client.ttl(self.key(session)), 3600, delta=5)

    def test_a_login_changes_the_whole_identifier_and_forgets_the_old_one(self):
        session = saved(self.store, **self.login)
        old = session.sid
        self.store.rotate(session, self.env)
        self.assertNotEqual(session.sid[:42], old[:42])
        self.assertFalse(self.alive(old))
        self.assertEqual(self.store.get(session.sid)["login"], self.user.login)
        self.assertEqual(session.session_token, self.user._compute_session_token(session.sid))

    def test_a_soft_rotation_keeps_the_identifier_and_the_old_id_for_two_minutes(self):
        session = saved(self.store, **self.login)
        old = session.sid
        self.store.rotate(session, self.env, soft=True)
        self.assert_valid(self.store.get(session.sid))
        self.assertEqual(session.sid[:42], old[:42])
        self.assertNotEqual(session.sid, old)
        self.assertEqual(self.store.get(old)["next_sid"], session.sid)
        self.assertNotIn("next_sid", self.store.get(session.sid))
        with patch("time.time", return_value=time.time() + 119):
            self.assertTrue(self.alive(old))
        with patch("time.time", return_value=time.time() + 121):
            self.assertFalse(self.alive(old))
            later = self.store.get(session.sid)
            self.store.delete_old_sessions(later)
        self.assertEqual(self.client.hkeys(self.key(session)), [session.sid[42:]])
        self.assertNotIn("gc_previous_sessions", self.store.get(session.sid))

    def test_every_concurrent_rotation_learns_the_one_new_session_id(self):
        session = saved(self.store, **self.login)
        loaded = [self.store.get(session.sid) for _ in range(8)]
        for one in loaded:
            self.store.rotate(one, self.env, soft=True)
        self.assertEqual(len({one.sid for one in loaded}), 1)
        self.assertEqual(self.client.hlen(self.key(session)), 2)

    def test_a_slow_request_does_not_undo_a_rotation(self):
        slow = saved(self.store, **self.login)
        old, quick = slow.sid, self.store.get(slow.sid)
        self.store.rotate(quick, self.env, soft=True)
        slow["colour"] = "red"
        self.store.save(slow)
        self.assertEqual(slow.sid, quick.sid)
        self.assert_valid(self.store.get(quick.sid))
        self.assertIn("deletion_time", self.store.get(old))

    def test_requests_that_lose_a_rotation_leave_a_valid_session(self):
        session = saved(self.store, **self.login)
        loaded = [self.store.get(session.sid) for _ in range(3)]
        for number, one in enumerate(loaded):
            one["number"] = number  # a browser's request of after lunch is never unchanged
            self.store.rotate(one, self.env, soft=True)
        self.assertEqual(len({one.sid for one in loaded}), 1)
        self.assert_valid(self.store.get(loaded[0].sid))

    def test_a_session_id_that_is_over_does_not_lead_to_its_successor(self):
        session = saved(self.store, **self.login)
        old = session.sid
        self.store.rotate(session, self.env, soft=True)
        with patch("time.time", return_value=time.time() + 121):
            thief = self.store.get(old)
            thief.sid = old  # as Odoo does with what it does not know
            thief.update(http.get_default_session(), debug="1")
            self.store.save(thief)
        self.assertNotEqual(thief.sid[:42], old[:42])
        self.assert_valid(self.store.get(session.sid))

    def test_a_session_id_that_is_over_forgets_nobody(self):
        for finish in (self.store.delete, lambda s: self.store.rotate(s, self.env)):
            session = saved(self.store, **self.login)
            old = session.sid
            self.store.rotate(session, self.env, soft=True)
            with patch("time.time", return_value=time.time() + 121):
                late = self.store.get(old)
            late.sid = old
            finish(late)
            self.assert_valid(self.store.get(session.sid))

    def test_half_of_a_session_id_is_good_for_nothing(self):
        for finish in (
            self.store.save, self.store.delete, lambda s: self.store.rotate(s, self.env)
        ):  # fmt: skip
            session = saved(self.store, **self.login)
            left = self.client.ttl(self.key(session))
            forged = self.store.get(session.sid[:42] + "A" * 42)
            forged.sid = session.sid[:42] + "A" * 42
            forged.update(http.get_default_session(), debug="1")
            finish(forged)
            self.assertEqual(self.client.hkeys(self.key(session)), [session.sid[42:]])
            self.assertAlmostEqual(self.client.ttl(self.key(session)), left, delta=5)
            self.assertEqual(dict(self.store.get(session.sid)), dict(session))

    def test_a_slow_request_does_not_bring_back_an_id_that_was_rotated_away(self):
        slow = saved(self.store, **self.login)
        old, quick = slow.sid, self.store.get(slow.sid)
        self.store.rotate(quick, self.env, soft=True)
        with patch("time.time", return_value=time.time() + 121):
            self.store.delete_old_sessions(self.store.get(quick.sid))
        slow["colour"] = "red"
        self.store.save(slow)
        self.assertFalse(self.alive(old))

    def test_a_rotation_under_way_does_not_undo_a_revocation(self):
        session = saved(self.store, **self.login, _trace=[{"platform": "linux"}])
        self.store.delete_from_identifiers([session.sid[:42]])
        self.store.rotate(session, self.env)
        self.assertFalse(self.alive(session.sid))

    def test_a_login_sent_twice_at_once_lets_in_twice(self):
        visitor = saved(self.store)
        twice = [self.store.get(visitor.sid) for _ in range(2)]
        for session in twice:
            session.update(self.login)
            self.store.rotate(session, self.env)
        for session in twice:
            self.assert_valid(self.store.get(session.sid))
        self.assertFalse(self.alive(visitor.sid))

    def test_visitors_leave_room_for_those_who_log_in(self):
        with self.assertLogs("odoo.addons.session_redis.store", "ERROR"):
            large = self.store.new()
            large["debug"] = "assets," * 5000
            self.store.save(large)
            self.assertFalse(self.alive(large.sid))
        crowd = {"used_memory": 90, "maxmemory": 100}
        with patch.object(self.store.client, "info", return_value=crowd):
            visitor, user, half_way = (self.store.new() for _ in range(3))
            visitor["cart"] = 1
            user.update(self.login)
            half_way["pre_uid"] = self.user.id  # the second factor is asked for next
            for session in (visitor, user, half_way):
                self.store.save(session)
        self.assertFalse(self.alive(visitor.sid))
        self.assertTrue(self.alive(user.sid) and self.alive(half_way.sid))

    def test_the_session_of_a_visitor_does_not_grow_for_ever(self):
        visitor = saved(self.store, cart=1)
        visitor["debug"] = "assets," * 5000
        with self.assertLogs("odoo.addons.session_redis.store", "ERROR"):
            self.store.save(visitor)
        self.assertEqual(self.store.get(visitor.sid)["debug"], "")
        self.assertEqual(self.store.get(visitor.sid)["cart"], 1)

    def test_a_slow_request_does_not_bring_back_a_revoked_session(self):
        for finish in (self.store.save, lambda s: self.store.rotate(s, self.env, soft=True)):
            slow = saved(self.store, **self.login)
            self.store.delete_from_identifiers([slow.sid[:42]])
            slow["colour"] = "red"
            finish(slow)
            self.assertFalse(self.alive(slow.sid))

    def test_revoking_a_device_forgets_its_session_and_its_predecessor(self):
        session, other = saved(self.store, **self.login), saved(self.store, **self.login)
        old = session.sid
        self.store.rotate(session, self.env, soft=True)
        identifiers = [session.sid[:42], other.sid[:42], "0" * 42]
        self.assertEqual(self.store.get_missing_session_identifiers(identifiers), {"0" * 42})
        self.store.delete_from_identifiers([session.sid[:42]])
        self.assertFalse(self.alive(session.sid) or self.alive(old))
        self.assertTrue(self.alive(other.sid))

    def test_a_pattern_is_no_identifier(self):
        session = saved(self.store, **self.login)
        if odoo_versions.refuses_odd_identifiers():
            with self.assertRaises(ValueError):
                self.store.delete_from_identifiers(["*"])
        else:
            self.store.delete_from_identifiers(["*"])
        self.assertTrue(self.alive(session.sid))

    def test_the_cron_that_collects_old_sessions_touches_none(self):
        session = saved(self.store, **self.login)
        self.store.vacuum(max_lifetime=0)
        self.assertTrue(self.alive(session.sid))

    def test_without_redis_there_is_an_error_and_no_new_session(self):
        session = saved(self.store, **self.login)
        with self.assertLogs("odoo.addons.session_redis.store", "ERROR") as logged:
            for error in (redis.ConnectionError("gone"), redis.TimeoutError("hung")):
                with self.fails(error), self.assertRaises(Unavailable) as caught:
                    self.store.get(session.sid)
                self.assertIn(("Retry-After", "5"), caught.exception.get_headers())
                self.store._rests_until = 0
        self.assertEqual(len(logged.output), 1)
        self.assertTrue(self.alive(session.sid))

    def test_nobody_waits_for_a_redis_that_has_just_failed(self):
        hung = self.fails(redis.TimeoutError("hung"))
        logged = self.assertLogs("odoo.addons.session_redis.store", "ERROR")
        with logged, hung, self.assertRaises(Unavailable):
            self.store.get(self.store.generate_key())
        with self.assertRaises(Unavailable):
            self.store.get(self.store.generate_key())

    def test_a_full_redis_refuses_logins_and_lets_the_others_go_on(self):
        session, visitor = saved(self.store, **self.login), saved(self.store, **self.login)
        full = redis.ResponseError("OOM command not allowed when used memory > 'maxmemory'.")
        ask = self.store.client.execute_command

        def refuse(*arguments, **options):
            # A full Redis answers questions, and forgets.
            if arguments[0] in ("HGET", "SCRIPT LOAD") or self.store._forget.sha in arguments:
                return ask(*arguments, **options)
            raise full

        with (
            self.assertLogs("odoo.addons.session_redis.store", "ERROR") as logged,
            patch.object(self.store.client, "execute_command", refuse),
            patch.object(redis.client.Pipeline, "execute", side_effect=full),
        ):
            self.assertTrue(self.alive(session.sid))
            session["colour"] = "red"
            self.store.save(session)
            self.store.rotate(session, self.env, soft=True)
            with self.assertRaises(Full):
                self.store.rotate(visitor, self.env)
            session.session_token = "of a new password"
            with self.assertRaises(Full):
                self.store.save(session)
            with self.assertRaises(Full):
                self.store.rotate(session, self.env, soft=True)
            half_way = self.store.new()
            half_way["pre_uid"] = self.user.id
            with self.assertRaises(Full):
                self.store.save(half_way)
            leaving = self.store.get(session.sid)
            leaving.uid = None
            left = leaving.sid
            self.store.rotate(leaving, self.env)
        self.assertIn("REDIS_MAXMEMORY", logged.output[0])
        self.assertFalse(self.alive(left))
