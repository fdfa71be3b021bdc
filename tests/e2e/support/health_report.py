"""What `inv health` prints of a platform that is well."""

from typing import Final

HEALTHY: Final = """\
=== Platform Health Check ===
Nginx: ✓ OK
Odoo (proxy): ✓ OK
Odoo (container): ✓ OK
PostgreSQL: ✓ OK
Redis: ✓ OK
=== Summary ===
All services healthy
"""
