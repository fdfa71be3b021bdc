"""What pgBackRest says of a failure, for people."""

import pytest

from toolbox.archive import pgbackrest


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (
            "unable to sync file '/books/a.tmp' after write: libssh2 error [-31]: sftp error [8]"
            " operation unsupported",
            "unable to sync file",
            "use one of OpenSSH",
        ),
        (
            "known hosts failure: 'nas' not found in known hosts files:"
            " LIBSSH2_KNOWNHOST_CHECK_NOTFOUND [2]: check type [strict]",
            "'nas' not found in known hosts files",
            "secrets/backup/known_hosts",
        ),
        ("unable to open missing file '/x'", "unable to open missing file '/x'", ""),
    ],
)
def test_a_failure_says_what_to_do(said: str, message: str, hint: str) -> None:
    line = f"2026-11-28 08:27:31.957 P00  ERROR: [052]: {said}\n"
    found = pgbackrest.failure(line, 52)
    assert message in found.message
    assert hint in found.hint
    assert bool(hint) == bool(found.hint)
