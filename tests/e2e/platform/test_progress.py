"""What a terminal shows of a backup while it is made, and a pipe does not."""

import os
import pty
import subprocess

from tests.e2e.support.checkout import Checkout


def _at_a_terminal(platform: Checkout, *words: str) -> str:
    main, side = pty.openpty()
    argv = [str(platform.root / "scripts" / "inv"), *words]
    environment = {**platform.environment(), "TERM": "xterm", "COLUMNS": "120"}
    shown = b""
    with subprocess.Popen(
        argv, cwd=platform.root, env=environment, stdin=side, stdout=side, stderr=side
    ) as process:
        os.close(side)
        try:
            while read := os.read(main, 4096):
                shown += read
        except OSError:  # the other side is closed
            pass
        assert process.wait(60) == 0, shown.decode(errors="replace")[-2000:]
    os.close(main)
    return shown.decode(errors="replace")


def test_a_terminal_shows_what_a_backup_and_its_verification_do(platform: Checkout) -> None:
    backup = _at_a_terminal(platform, "backup")
    assert "Making a backup: trying to restore its schema (" in backup
    assert "percent:" not in backup and "✓ Making a backup (" in backup
    verification = _at_a_terminal(platform, "backup.verify")
    assert "Restoring into a throw-away database: database and files " in verification
    assert " % (" in verification or " left (" in verification
