from odoo import api, fields, models
from odoo.exceptions import ValidationError


class MyModule(models.Model):
    _name = "my.module"
    _description = "My Module"
    _order = "name, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    quantity = fields.Integer(default=1)
    price = fields.Float()
    total = fields.Float(compute="_compute_total", store=True)

    @api.depends("quantity", "price")
    def _compute_total(self):
        for record in self:
            record.total = record.quantity * record.price

    @api.constrains("quantity")
    def _check_quantity(self):
        for record in self:
            if record.quantity < 1:
                raise ValidationError(self.env._("The quantity must be 1 or more."))
