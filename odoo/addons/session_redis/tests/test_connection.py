import os
import socket
import threading
import time
from contextlib import ExitStack
from unittest.mock import patch

from odoo.tests import BaseCase, tagged

from .. import connection


@tagged("post_install", "-at_install")
class TestConnection(BaseCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(connection._known.pop, "redis.test", None)
        self.listening = ExitStack()
        self.addCleanup(self.listening.close)

    def port(self):
        server = self.listening.enter_context(socket.create_server(("127.0.0.1", 0)))
        return server.getsockname()[1]

    def resolver(self, answer):
        """DNS while the block runs; addresses, which connecting asks for too, are as ever."""
        real = socket.getaddrinfo

        def ask(host, *args, **kwargs):
            return answer() if host == "redis.test" else real(host, *args, **kwargs)

        return patch("socket.getaddrinfo", ask)

    def answering(self, *addresses):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0)) for a in addresses]
        return self.resolver(lambda: found)

    def find(self, *addresses):
        with self.answering(*addresses):
            connection._find("redis.test")

    def connect(self, port):
        ours = connection.Remembering(
            host="redis.test", port=port, socket_timeout=1, socket_connect_timeout=1
        )
        return ours._connect()

    def test_a_name_that_was_found_is_not_asked_for_again(self):
        self.find("127.0.0.1")
        with self.connect(self.port()) as connected:
            self.assertEqual(connected.getpeername()[0], "127.0.0.1")

    def test_each_address_of_a_host_is_tried(self):
        self.find("::1", "127.0.0.1")
        with self.connect(self.port()) as connected:
            self.assertEqual(connected.getpeername()[0], "127.0.0.1")

    def test_a_host_that_has_moved_is_found_within_the_same_call(self):
        self.find("127.0.0.2")  # where nothing listens
        port = self.port()
        with self.answering("127.0.0.1"), self.connect(port) as connected:
            self.assertEqual(connected.getpeername()[0], "127.0.0.1")

    def test_a_host_that_has_not_moved_is_an_error(self):
        self.find("127.0.0.2")
        with self.answering("127.0.0.2"), self.assertRaises(ConnectionRefusedError):
            self.connect(self.port())

    def test_a_resolver_that_hangs_is_waited_for_a_moment_and_asked_once(self):
        self.find("127.0.0.2")
        port, asked, over = self.port(), [], threading.Event()
        self.addCleanup(over.set)

        def hang():
            asked.append("redis.test")
            over.wait(60)
            raise socket.gaierror

        with self.resolver(hang):
            began = time.monotonic()
            for _ in range(2):
                with self.assertRaises(ConnectionRefusedError):
                    self.connect(port)
            self.assertLess(time.monotonic() - began, 20)
            over.set()
            connection._asking["redis.test"].join()
        self.assertEqual(len(asked), 1)

    def test_a_forked_worker_asks_for_itself(self):
        connection._asking["redis.test"] = threading.current_thread()
        self.addCleanup(connection._asking.pop, "redis.test", None)
        child = os.fork()
        if not child:
            os._exit("redis.test" in connection._asking)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
