"""Stands in for psycopg2, which is in the containers only."""

import sys
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock


class Error(Exception):
    """psycopg2.Error."""


class OperationalError(Error):
    """psycopg2.OperationalError."""


class IntegrityError(Error):
    """psycopg2.IntegrityError."""


class ProgrammingError(Error):
    """psycopg2.ProgrammingError."""


class _Errors(ModuleType):
    """psycopg2.errors: a class for each name that is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (Error,), {})
        setattr(self, name, made)
        return made


def install() -> None:
    """Have `import psycopg2` find this, from now on."""
    module: Any = ModuleType("psycopg2")
    module.Error, module.OperationalError = Error, OperationalError
    module.IntegrityError, module.ProgrammingError = IntegrityError, ProgrammingError
    module.errors, module.sql = _Errors("psycopg2.errors"), MagicMock()
    module.connect = MagicMock(side_effect=OperationalError("there is no server in unit tests"))
    sys.modules["psycopg2"] = module
    sys.modules["psycopg2.errors"], sys.modules["psycopg2.sql"] = module.errors, module.sql
