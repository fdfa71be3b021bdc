from unittest.mock import Mock

from odoo.tests import BaseCase, tagged
from psycopg2.pool import PoolError

from ..pool import patient


@tagged("post_install", "-at_install")
class TestPool(BaseCase):
    def test_a_full_pool_is_asked_again(self):
        borrow = Mock(side_effect=[PoolError(), PoolError(), "a connection"])
        self.assertEqual(patient(borrow)("pool", {}), "a connection")
        self.assertEqual(borrow.call_count, 3)

    def test_but_not_for_ever(self):
        borrow = Mock(side_effect=PoolError("The Connection Pool Is Full"))
        with self.assertRaises(PoolError):
            patient(borrow, seconds=0.1)("pool", {})

    def test_another_error_is_passed_on_at_once(self):
        borrow = Mock(side_effect=ValueError)
        with self.assertRaises(ValueError):
            patient(borrow)("pool", {})
        self.assertEqual(borrow.call_count, 1)
