"""Redaction: what of the secret files is masked in output."""

from pathlib import Path

from scripts.core.redact import redactor


def test_every_line_of_a_secret_file_is_masked(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("first-line-of-it\nsecond-line-of-it\n")
    redact = redactor(tmp_path)
    assert redact("x first-line-of-it y second-line-of-it z") == "x *** y *** z"


def test_short_values_do_not_eat_ordinary_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("odoo\n\n")
    assert redactor(tmp_path)("odoo is up") == "odoo is up"


def test_a_secret_file_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    (tmp_path / "b.txt").write_bytes(b"\xff\xff")
    (tmp_path / "c.txt").write_text("a-real-secret")
    redact = redactor(tmp_path)
    assert redact("a-real-secret") == "***"


def test_a_secret_that_contains_another_is_masked_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("shared-beginning")
    (tmp_path / "b.txt").write_text("shared-beginning-and-more")
    redact = redactor(tmp_path)
    assert "and-more" not in redact("it is shared-beginning-and-more")
