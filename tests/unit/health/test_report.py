import pytest

from scripts.core.checks import Result, Status
from scripts.health.report import Report

_NAMES = ("Nginx", "Odoo (proxy)", "Odoo (container)", "PostgreSQL", "Redis")


def _plain(text: str, colour: str) -> str:
    return text


def test_a_healthy_platform_gives_the_report_of_the_readme_to_the_letter() -> None:
    rows = [Result(name, Status.OK, "", "", 0.1) for name in _NAMES]
    assert "\n".join(Report(rows).lines(_plain)) == (
        "=== Platform Health Check ===\n"
        "Nginx: ✓ OK\n"
        "Odoo (proxy): ✓ OK\n"
        "Odoo (container): ✓ OK\n"
        "PostgreSQL: ✓ OK\n"
        "Redis: ✓ OK\n"
        "=== Summary ===\n"
        "All services healthy"
    )


def test_a_broken_platform_says_what_where_and_how_to_go_on() -> None:
    rows = [
        Result("Nginx", Status.OK, "", "", 0.1),
        Result("Odoo (proxy)", Status.FAILED, "status 503", "inv logs --service odoo", 0.1),
        Result("Redis", Status.FAILED, "", "", 0.1),
    ]
    assert Report(rows).lines(_plain)[1:] == [
        "Nginx: ✓ OK",
        "Odoo (proxy): ✗ FAILED: status 503 (see: inv logs --service odoo)",
        "Redis: ✗ FAILED",
        "=== Summary ===",
        "Unhealthy: Odoo (proxy), Redis",
    ]


def test_failures_are_red_and_the_rest_is_green() -> None:
    rows = [Result("A", Status.OK, "", "", 0), Result("B", Status.FAILED, "", "", 0)]
    painted = Report(rows).lines(lambda text, colour: f"<{colour} {text}>")
    assert painted[1:3] == ["A: <green ✓> OK", "B: <red ✗> FAILED"]
    assert painted[-1] == "<red Unhealthy: B>"


def test_a_warning_is_shown_and_is_no_failure() -> None:
    rows = [
        Result("Nginx", Status.WARNING, "the certificate ends", "inv renew-tls", 0.1),
        Result("Redis", Status.OK, "", "", 0.1),
    ]
    assert Report(rows).lines(_plain)[1:] == [
        "Nginx: ! WARNING: the certificate ends (inv renew-tls)",
        "Redis: ✓ OK",
        "=== Summary ===",
        "All services work; warnings: Nginx",
    ]


def test_each_group_but_the_first_has_a_heading_and_keeps_together() -> None:
    rows = [
        Result("Nginx", Status.OK, "", "", 0, "Services"),
        Result("Memory", Status.OK, "7 of 9 MiB are available", "", 0, "Host"),
        Result("Clock", Status.UNKNOWN, "nobody can be asked", "", 0, "Host"),
    ]
    assert Report(rows).lines(_plain) == [
        "=== Platform Health Check ===",
        "Nginx: ✓ OK",
        "--- Host ---",
        "Memory: ✓ OK",
        "Clock: ? UNKNOWN: nobody can be asked",
        "=== Summary ===",
        "Cannot tell: Clock",
    ]


@pytest.mark.parametrize(
    ("found", "status", "code", "strict"),
    [
        ("ok", "ok", 0, 0),
        ("ok warning", "warning", 0, 1),
        ("ok unknown", "unknown", 2, 2),
        ("warning unknown", "unknown", 2, 1),
        ("unknown failed warning", "failed", 1, 1),
        ("", "ok", 0, 0),
    ],
)
def test_the_worst_row_decides_on_the_exit_code(
    found: str, status: str, code: int, strict: int
) -> None:
    rows = [Result(word, Status(word), "", "", 0.1, "Host") for word in found.split()]
    report = Report(rows)
    assert report.status == status == report.document.status
    assert (report.exit_code(strict=False), report.exit_code(strict=True)) == (code, strict)
    assert report.bad == (status != "ok")


def test_the_document_has_a_version_and_a_row_for_each_check() -> None:
    document = Report([Result("A", Status.FAILED, "gone", "start it", 0.1, "G")]).document
    assert document.version == 1
    (row,) = document.checks
    assert (row.name, row.group, row.status, row.detail) == ("A", "G", "failed", "gone")
    assert (row.hint, row.seconds) == ("start it", 0.1)
