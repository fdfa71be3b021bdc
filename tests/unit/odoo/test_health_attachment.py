"""What odoo/health_attachment.py makes of a database that takes no attachment."""

import hashlib
from pathlib import Path
from unittest.mock import MagicMock

import health_attachment
import psycopg2
import pytest


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (psycopg2.IntegrityError("null value in column x"), health_attachment.SKIPPED),
        (psycopg2.errors.LockNotAvailable("a lock"), health_attachment.SKIPPED),
        (psycopg2.errors.ReadOnlySqlTransaction("read-only"), "none can be written: read-only"),
        (psycopg2.OperationalError("it ends"), None),
    ],
)
def test_why_none_can_be_written(tmp_path: Path, refusal: Exception, said: str | None) -> None:
    name = hashlib.sha1(b"css").hexdigest()
    (tmp_path / name).write_bytes(b"css")
    connection = MagicMock()
    cursor = connection.cursor().__enter__()
    cursor.fetchall.return_value = [(name,)]
    cursor.execute.side_effect = [None, refusal]  # of a look for a file, and of what is written
    found = health_attachment.attachment(connection, tmp_path, "http://localhost", 3)
    assert found == said
    connection.close.assert_called_once_with()
