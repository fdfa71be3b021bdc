{
    "name": "My Module",
    "summary": "What it is good for, in one line",
    # Without the series of Odoo before it, which Odoo adds itself: it is for 18 and 19.
    "version": "1.0.0",
    "category": "Uncategorized",
    "author": "My Company",
    "license": "LGPL-3",
    "depends": ["base"],
    "data": ["security/ir.model.access.csv", "views/my_module.xml"],
    "application": True,
}
