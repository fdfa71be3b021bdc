"""What `inv health` prints, and of which platform it may be."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from tests.e2e.support.checkout import Checkout

_FIRST: Final = """\
=== Platform Health Check ===
Nginx: ✓ OK
Odoo (proxy): ✓ OK
Odoo (container): ✓ OK
PostgreSQL: ✓ OK
Redis: ✓ OK
"""
_LAST: Final = """\
=== Summary ===
All services healthy
"""
_OTHERS: Final = re.compile(r"(--- [A-Za-z ]+ ---\n([A-Z][A-Za-z ]+: ✓ OK\n)+)+")


def is_healthy(printed: str) -> bool:
    """Whether it is the report of a platform on which all is well, to the letter."""
    begins, ends = printed.startswith(_FIRST), printed.endswith(_LAST)
    middle = printed[len(_FIRST) : -len(_LAST)]
    return begins and ends and bool(_OTHERS.fullmatch(middle))


@dataclass(frozen=True)
class Look:
    """One look at a platform: what is not well, by name."""

    code: int
    status: str
    failed: dict[str, str]
    warned: dict[str, str]
    unknown: dict[str, str]
    details: dict[str, str]

    @classmethod
    def at(cls, platform: Checkout, *options: str) -> "Look":
        """The present one, as `inv health --json` tells."""
        done = platform.inv("health", "--json", *options)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["version"] == 1

        def those(status: str) -> dict[str, str]:
            return {c["name"]: c["detail"] for c in found["checks"] if c["status"] == status}

        every = {check["name"]: check["detail"] for check in found["checks"]}
        kinds = (those("failed"), those("warning"), those("unknown"))
        return cls(done.returncode, found["status"], *kinds, every)

    @property
    def bad(self) -> dict[str, str]:
        """Red and yellow lines."""
        return {**self.failed, **self.warned}
