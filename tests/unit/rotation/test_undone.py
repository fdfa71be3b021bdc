"""A rotation of the secrets that fails or is killed: undone as a whole, or finished."""

import pytest

from scripts import credentials
from scripts.rotation import rotate, verifiers
from tests.unit.support.rotation import Installation, error_of, scram_takes

_STEPS = [
    "key-add",
    "SELECT rolpassword",
    "stop odoo",
    "ALTER ROLE",
    "UPDATE res_users",
    "restart redis",
    "up --detach",
    "python3 -c",
    "/etc/platform/monitoring",
    "restart monitoring_secrets",
    "restart redis_exporter",
]


@pytest.mark.parametrize("what", _STEPS)
def test_where_one_step_fails_all_are_as_before(made: Installation, what: str) -> None:
    before = made.files()
    _fail_once(made, what)
    error = error_of(made)
    assert "The old secrets are in use again." in error.hint
    assert made.files() == before and made.fits
    assert "odoo" in made.servers.running


@pytest.mark.parametrize("where", _STEPS)
def test_one_that_is_told_to_end_is_undone_before_it_does(made: Installation, where: str) -> None:
    before = made.files()
    _fail_once(made, "nothing")
    made.servers.die = where  # as an interruption does: by no OpsError
    with pytest.raises(SystemExit):
        made.rotate()
    assert made.reporter.said[-1] == "The old secrets are in use again."
    assert made.files() == before and made.fits
    assert "odoo" in made.servers.running


def _fail_once(made: Installation, what: str) -> None:
    """Have `what` fail, and work again while that is undone."""
    made.servers.refuse = what
    say = made.reporter.note

    def note(text: str) -> None:
        made.servers.refuse = made.servers.die = "nothing"
        say(text)

    made.reporter.note = note  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "where",
    [
        "key-add",
        "SELECT rolpassword",
        "stop odoo",
        "ALTER ROLE",
        "restart redis",
        "up --detach",
        "python3 -c",
        "key-finish",
    ],
)
def test_a_killed_rotation_is_undone_or_finished_by_the_next_command(
    made: Installation, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before = made.files()
    monkeypatch.setattr(rotate, "_try_to_undo", lambda work: "")  # a killed process does not
    made.servers.die = where
    with pytest.raises(SystemExit):
        made.rotate()
    made.servers.die = "nothing"
    assert ("interrupted" in _preflight(made)) is (where != "key-finish")
    made.recover()
    assert made.fits and "odoo" in made.servers.running
    assert (made.files() == before) is (where != "key-finish")
    made.rotate()
    assert made.fits


@pytest.mark.parametrize("where", ["stop odoo", "ALTER ROLE", "restart redis", "up --detach"])
def test_a_killed_rotation_is_undone_where_the_containers_are_gone(
    made: Installation, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before = made.files()
    with monkeypatch.context() as killed:
        killed.setattr(rotate, "_try_to_undo", lambda work: "")
        made.servers.die = where
        with pytest.raises(SystemExit):
            made.rotate()
    made.servers.die = "nothing"
    made.servers.running.clear()  # inv down
    made.servers.removed = {"odoo", "odoo_db", "redis", "nginx"}
    made.recover()
    assert made.files() == before and made.fits
    assert made.servers.running == set() and "redis" in made.servers.removed


def _preflight(made: Installation) -> str:
    """What the preflight of `inv up` finds wrong."""
    return credentials.preflight(made.folder).probe().detail


def test_a_repository_that_goes_away_keeps_nothing_else_from_starting(made: Installation) -> None:
    before = made.files()
    made.servers.refuse = "key-"
    error = error_of(made)
    assert "To undo it: inv secrets" in error.hint
    assert made.files() == before and "odoo" in made.servers.running
    assert _preflight(made) == ""
    made.servers.refuse = "nothing"
    made.recover()
    assert made.fits


@pytest.mark.parametrize("what", ["ALTER ROLE", "restart redis", "python3 -c"])
def test_a_lost_database_password_stays_new_where_its_rotation_fails(
    made: Installation, what: str
) -> None:
    (made.folder / "db_password.txt").unlink()
    made.servers.running -= {"odoo", "nginx"}
    before = set(made.servers.running)
    _fail_once(made, what)
    error = error_of(made, "db_password")
    assert "db_password.txt had been lost: the new value is in use" in error.hint
    assert made.fits and made.servers.running == before


def test_a_lost_password_of_monitoring_stays_new_where_its_rotation_fails(
    made: Installation,
) -> None:
    (made.folder / "monitoring_password.txt").unlink()
    _fail_once(made, "restart redis_exporter")
    error = error_of(made, "monitoring_password")
    assert "monitoring_password.txt had been lost: the new value is in use" in error.hint
    assert made.fits


def test_a_lost_password_of_the_local_supabase_stays_new_where_its_rotation_fails(
    made: Installation,
) -> None:
    made.servers.volumes = ("odoo_db_data", "supabase_db_data")
    made.servers.roles["supabase_db"] = verifiers.scram("of-long-ago")
    (made.folder / "supabase_db_password.txt").unlink()
    _fail_once(made, "restart redis")
    error_of(made, "supabase_db_password,db_password")
    assert scram_takes(made.value("supabase_db_password"), made.servers.roles["supabase_db"])
    assert made.fits


def test_a_file_that_was_saved_on_windows_is_put_back_as_it_was(made: Installation) -> None:
    path = made.folder / "db_password.txt"
    made.servers.mounted = path.read_bytes()
    saved = b"\xef\xbb\xbf" + made.servers.mounted.strip() + b"\r\n"
    path.write_bytes(saved)
    _fail_once(made, "python3 -c")
    error_of(made)
    assert path.read_bytes() == saved


def test_a_password_that_only_the_container_has_is_put_back_unmasked(made: Installation) -> None:
    path = made.folder / "db_password.txt"
    made.servers.mounted = path.read_bytes()
    (made.folder / "copy.txt").write_bytes(path.read_bytes())  # known, and so masked in output
    path.write_text("Another-Value-12345")
    _fail_once(made, "python3 -c")
    error_of(made)
    assert path.read_bytes() == made.servers.mounted and made.fits
