from odoo.exceptions import AccessError, ValidationError
from odoo.tests import TransactionCase, new_test_user, tagged


@tagged("post_install", "-at_install")
class TestMyModule(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        user = new_test_user(cls.env, "my_module_user", groups="base.group_user")
        cls.records = cls.env["my.module"].with_user(user)

    def test_the_total_follows_quantity_and_price(self):
        record = self.records.create({"name": "Chair", "quantity": 4, "price": 2.5})
        self.assertEqual(record.total, 10)
        record.quantity = 2
        self.assertEqual(record.total, 5)

    def test_no_quantity_is_refused(self):
        with self.assertRaises(ValidationError):
            self.records.create({"name": "Chair", "quantity": 0})

    def test_a_user_may_archive_and_not_delete(self):
        record = self.records.create({"name": "Chair"})
        record.active = False
        self.assertNotIn(record, self.records.search([]))
        with self.assertRaises(AccessError):
            record.unlink()
