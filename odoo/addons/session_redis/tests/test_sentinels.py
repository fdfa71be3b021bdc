import socketserver
import threading
import time
from dataclasses import replace
from unittest.mock import patch

import redis
from odoo.tests import BaseCase, tagged

from .. import connection
from ..settings import Settings
from ..start import _cause

_READONLY = b"-READONLY You can't write against a read only replica.\r\n"


class Server(socketserver.ThreadingTCPServer):
    """Speaks as much of Redis's protocol as a test needs; `say` makes an answer of a command."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, say):
        super().__init__(("127.0.0.1", 0), Answering)
        self.say = say
        self.heard = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self):
        return self.server_address


class Answering(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2].decode())
            self.server.heard.append(words)
            told = words[0] in ("CLIENT", "AUTH")
            answer = b"+OK\r\n" if told else self.server.say(words)
            if answer is None:
                threading.Event().wait(60)
            self.wfile.write(answer)


def _array(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def _watching(address):
    """What a Sentinel says of the one master that it watches."""
    known = {
        "name": "main", "ip": address[0], "port": address[1], "flags": "master",
        "num-other-sentinels": 0,
    }  # fmt: skip
    return b"*1\r\n" + _array(*(str(part).encode() for pair in known.items() for part in pair))


@tagged("post_install", "-at_install")
class TestSentinels(BaseCase):
    def serve(self, say):
        server = Server(say)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    def settings(self, *sentinels, **options):
        given = {"SESSION_REDIS_HOST": "unused.test", "SESSION_REDIS_USER": "shop"}
        settings = Settings.load("", given)
        master = "main" if sentinels else ""
        return replace(settings, sentinels=sentinels, sentinel_master=master, **options)

    def client(self, *sentinels, **options):
        client = self.settings(*sentinels, **options).client(connection.KINDS)
        self.addCleanup(client.connection_pool.disconnect)
        return client

    def gone(self):
        """An address where nobody listens."""
        server = self.serve(lambda _: b"")
        server.shutdown()
        server.server_close()
        return server.address

    def test_the_first_that_answers_names_the_master(self):
        master = self.serve(lambda _: b"$3\r\none\r\n")
        sentinel = self.serve(lambda _: _watching(master.address))
        client = self.client(self.gone(), sentinel.address)
        self.assertEqual([client.hget("k", "f") for _ in range(2)], ["one", "one"])
        asked = [words for words in sentinel.heard if words[0] == "SENTINEL"]
        self.assertEqual(len(asked), 1, "a connection that is kept asks nobody")

    def test_a_master_that_became_a_replica_is_left(self):
        first = self.serve(lambda words: _READONLY if words[0] == "HSET" else b"$3\r\none\r\n")
        second = self.serve(lambda words: b":1\r\n" if words[0] == "HSET" else b"$3\r\ntwo\r\n")
        master = [first.address]
        sentinel = self.serve(lambda _: _watching(master[0]))
        client = self.client(sentinel.address)
        self.assertEqual(client.hget("k", "f"), "one")
        master[0] = second.address
        with self.assertRaises(redis.ConnectionError):
            client.hset("k", "f", "v")
        self.assertEqual(client.hset("k", "f", "v"), 1)
        self.assertEqual(client.hget("k", "f"), "two")

    def test_an_isolated_master_is_left(self):
        lost = b"-NOREPLICAS Not enough good replicas to write.\r\n"
        first = self.serve(lambda _: lost)
        second = self.serve(lambda _: b":1\r\n")
        master = [first.address]
        sentinel = self.serve(lambda _: _watching(master[0]))
        client = self.client(sentinel.address)
        with self.assertRaises(redis.ConnectionError):
            client.hset("k", "f", "v")
        master[0] = second.address
        self.assertEqual(client.hset("k", "f", "v"), 1)

    def test_an_answer_that_nobody_waits_for_is_nobody_elses(self):
        master = self.serve(lambda _: b"$3\r\none\r\n")
        sentinel = self.serve(lambda _: _watching(master.address))
        client = self.client(sentinel.address)
        client.hget("k", "f")
        held = client.connection_pool._available_connections[0]
        ended = patch.object(type(held._parser), "read_response", side_effect=KeyboardInterrupt)
        with ended, self.assertRaises(KeyboardInterrupt):
            client.hget("k", "f")
        self.assertFalse(held._sock)

    def test_sentinels_that_hang_hold_nobody_longer_than_redis_itself(self):
        hanging = [self.serve(lambda _: None).address for _ in range(3)]
        client = self.client(*hanging)
        began = time.monotonic()
        with self.assertRaises(redis.ConnectionError):
            client.hget("k", "f")
        self.assertLess(time.monotonic() - began, 3)

    def test_a_sentinel_is_given_the_password_only_where_it_wants_it(self):
        for wanted in (True, False):
            sentinel = self.serve(lambda _: b"*0\r\n")
            settings = self.settings(sentinel.address, sentinel_auth=wanted)
            with patch.object(Settings, "_password", lambda _: "secret"):
                client = settings.client(connection.KINDS)
            with self.assertRaises(redis.ConnectionError):
                client.hget("k", "f")
            self.assertEqual(["AUTH", "secret"] in sentinel.heard, wanted)

    def test_why_no_master_is_found_is_told(self):
        refusing = self.serve(lambda _: b"-NOAUTH Authentication required.\r\n")
        client = self.client(refusing.address)
        with self.assertRaises(redis.ConnectionError) as caught:
            client.hget("k", "f")
        self.assertIn("Authentication required", str(_cause(client, caught.exception)))

    def test_a_redis_by_its_name_that_became_a_replica_is_left(self):
        replica = self.serve(lambda _: _READONLY)
        host, port = replica.address
        client = self.settings(host=host, port=port).client(connection.KINDS)
        with self.assertRaises(redis.ConnectionError):
            client.hset("k", "f", "v")
        self.assertFalse(client.connection_pool._available_connections[0]._sock)
