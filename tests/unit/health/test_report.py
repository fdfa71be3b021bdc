import pytest

from scripts.core.checks import Result, Status
from scripts.health import report

_NAMES = ("Nginx", "Odoo (proxy)", "Odoo (container)", "PostgreSQL", "Redis")


def _plain(text: str, colour: str) -> str:
    return text


def test_a_healthy_platform_gives_the_report_of_the_readme_to_the_letter() -> None:
    rows = [Result(name, Status.OK, "", "", 0.1) for name in _NAMES]
    assert "\n".join(report.lines(rows, _plain)) == (
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
    assert report.lines(rows, _plain)[1:] == [
        "Nginx: ✓ OK",
        "Odoo (proxy): ✗ FAILED: status 503 (see: inv logs --service odoo)",
        "Redis: ✗ FAILED",
        "=== Summary ===",
        "Unhealthy: Odoo (proxy), Redis",
    ]


def test_failures_are_red_and_the_rest_is_green() -> None:
    rows = [Result("A", Status.OK, "", "", 0), Result("B", Status.FAILED, "", "", 0)]
    painted = report.lines(rows, lambda text, colour: f"<{colour} {text}>")
    assert painted[1:3] == ["A: <green ✓> OK", "B: <red ✗> FAILED"]
    assert painted[-1] == "<red Unhealthy: B>"


def test_a_warning_is_shown_and_is_no_failure() -> None:
    rows = [
        Result("Nginx", Status.WARNING, "the certificate ends", "inv renew-tls", 0.1),
        Result("Redis", Status.OK, "", "", 0.1),
    ]
    assert report.lines(rows, _plain)[1:] == [
        "Nginx: ! WARNING: the certificate ends (inv renew-tls)",
        "Redis: ✓ OK",
        "=== Summary ===",
        "All services work; warnings: Nginx",
    ]


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (Status.OK, []),
        (Status.WARNING, ["Volumes: ! WARNING: redis_data: 1 MiB of 9 MiB are free"]),
        (Status.FAILED, ["Volumes: ✗ FAILED: redis_data: 1 MiB of 9 MiB are free"]),
    ],
)
def test_what_is_not_in_the_readme_is_shown_only_if_it_is_bad(
    status: Status, shown: list[str]
) -> None:
    rows = [Result("Volumes", status, "redis_data: 1 MiB of 9 MiB are free", "", 0.1)]
    assert report.lines(rows, _plain)[1:-2] == shown
