import os
import socket
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

    def find(self, *addresses):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 0)) for a in addresses]
        with patch("socket.getaddrinfo", return_value=found):
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

    def test_a_forked_worker_asks_for_itself(self):
        connection._asking.add("redis.test")
        self.addCleanup(connection._asking.discard, "redis.test")
        child = os.fork()
        if not child:
            os._exit("redis.test" in connection._asking)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
