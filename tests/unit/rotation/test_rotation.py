"""New secrets for a living platform: all of them, or none."""

import base64
import hmac
from dataclasses import replace

import pytest

from scripts import credentials
from scripts.core.completed import Completed
from scripts.core.errors import EXIT_USAGE, UsageError
from scripts.credentials import SecretState
from scripts.rotation import dependents, logins, rotate, verifiers
from tests.unit.support.fakes import FakeReporter, FakeRunner, says
from tests.unit.support.rotation import Installation, error_of


def test_what_postgresql_stores_proves_the_example_of_rfc_7677() -> None:
    stored = verifiers.scram("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert stored.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    said = (
        f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        f",c=biws,r={nonce}"
    )
    server_key = base64.b64decode(stored.rpartition(":")[2])
    proof = base64.b64encode(hmac.digest(server_key, said.encode(), "sha256")).decode()
    assert proof == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_hash_of_passlib_is_understood_and_made() -> None:
    made_by_passlib = (
        "$pbkdf2-sha512$1000$6r03BsCYkxKi9F6L0bq3Ng$V/ySHeb9goGYB3u2N5eegquEhheyi710hunvG1m0aTqN"
        "QthdweXstQEhaEF20cP2DixQWmcg7bou4Q6qctoyiA"
    )
    assert verifiers.odoo_takes("Pass wörd/1", made_by_passlib)
    assert not verifiers.odoo_takes("Pass wörd/2", made_by_passlib)
    assert not verifiers.odoo_takes("admin", "$2b$12$another.scheme")
    own = verifiers.odoo("secret")
    assert own.startswith("$pbkdf2-sha512$600000$") and "=" not in own and "+" not in own
    assert verifiers.odoo_takes("secret", own)


def test_all_secrets_are_new_and_each_opens_what_it_is_for(made: Installation) -> None:
    before = made.files()
    lines = made.rotate()
    after = made.files()
    assert set(after) == set(before)
    assert not [name for name in before if before[name] == after[name]]
    assert made.fits
    assert any("inv backup.key" in line for line in lines)


def test_only_what_was_named_is_new(made: Installation) -> None:
    before = made.files()
    made.rotate("db_password, backup_key.txt")
    after = made.files()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"db_password.txt", "backup_key.txt"}
    assert made.fits


@pytest.mark.parametrize("names", ["db", "db_password,", "all,db_password", "../x"])
def test_a_name_that_there_is_not_is_a_usage_error(made: Installation, names: str) -> None:
    error = error_of(made, names)
    assert error.exit_code == EXIT_USAGE
    assert made.fits and "db_password" in error.hint


def test_a_repository_that_cannot_be_reached_is_seen_before_anything_is_changed(
    made: Installation,
) -> None:
    made.servers.refuse = "backup list"
    before = made.files()
    error_of(made)
    assert made.files() == before and made.fits
    assert made.servers.changing == []


def test_no_password_is_in_an_argument_or_in_sql(made: Installation) -> None:
    values = set(made.files().values())
    made.rotate()
    values |= set(made.files().values())
    spoken = [" ".join(call) for call in made.servers.calls]
    # A login of Odoo, and what postgres/monitoring reads, are no SQL.
    bare = {value.strip() for value in values}
    spoken += [text for text in made.servers.said if "jsonrpc" not in text and text not in bare]
    assert not [v for v in values if any(v.strip() in text for text in spoken)]


def test_no_superuser_is_in_odoos_database_where_a_strangers_trigger_may_wait(
    made: Installation,
) -> None:
    made.rotate("db_password,odoo_admin_password")
    asked = [call[call.index("-U") :] for call in made.servers.calls if "psql" in call]
    assert {tuple(words[:4]) for words in asked} == {
        ("-U", "postgres", "-d", "postgres"),
        ("-U", "odoo", "-d", "odoo"),
    }


def test_a_lost_database_password_is_replaced(made: Installation) -> None:
    (made.folder / "db_password.txt").unlink()
    made.rotate("db_password")
    assert made.fits


def test_a_lost_database_password_is_replaced_where_nothing_runs(made: Installation) -> None:
    (made.folder / "db_password.txt").unlink()
    made.servers.running.clear()
    made.rotate("db_password")
    assert made.fits
    assert made.servers.running == set()


def test_a_lost_backup_key_is_never_replaced(made: Installation) -> None:
    keys = set(made.servers.keys)
    (made.folder / "backup_key.txt").unlink()
    for names in ("backup_key", "all"):
        error = error_of(made, names)
        assert "only by the old one" in error.message and "BACKUP_FOLDER" in error.hint
    assert made.servers.keys == keys and not (made.folder / "backup_key.txt").exists()


def test_a_reset_makes_a_password_for_the_administrator_alone(made: Installation) -> None:
    before = made.files()
    (made.folder / "odoo_admin_password.txt").unlink()
    [line] = rotate.reset(made.stack, made.reporter, "admin").lines
    assert "secrets/odoo_admin_password.txt" in line
    after = made.files()
    assert {n for n in before if before[n] != after[n]} == {"odoo_admin_password.txt"}
    assert made.fits
    assert not made.servers.ran("docker compose stop")  # nobody but he notices
    assert made.servers.ran("docker exec --user odoo odoo python3")  # he is logged out


def test_only_an_administrator_can_be_reset(made: Installation) -> None:
    with pytest.raises(UsageError, match="'demo' is none of: admin"):
        rotate.reset(made.stack, made.reporter, "demo")


def _lost(made: Installation) -> dict[str, str]:
    return dependents.lost(made.stack, credentials.inspect(made.folder))


def test_nothing_is_asked_while_no_secret_is_missing(made: Installation) -> None:
    assert _lost(made) == {}
    assert made.servers.calls == []


def test_what_something_living_depends_on_is_lost_and_not_made(made: Installation) -> None:
    made.servers.volumes = ("odoo_db_data", "supabase_db_data")
    for path in made.folder.glob("*.txt"):
        path.unlink()
    lost = _lost(made)
    assert set(lost) == {
        "db_password",
        "odoo_admin_password",
        "backup_key",
        "supabase_db_password",
        "supabase_jwt_secret",
    }
    reports = credentials.ensure(made.folder, lost)
    assert {r.name for r in reports if r.state is SecretState.CREATED} == {
        "odoo_master_password",
        "monitoring_password",
    }
    assert set(made.files()) == {"odoo_master_password.txt", "monitoring_password.txt"}
    with pytest.raises(Exception, match=r"secrets/db_password\.txt is missing, but") as caught:
        credentials.require_none_lost(reports)
    for way in ("inv secrets.rotate db_password", "inv secrets.reset admin", "BACKUP_FOLDER"):
        assert way in getattr(caught.value, "hint", "")


def test_on_a_new_machine_nothing_is_lost(made: Installation) -> None:
    made.servers.volumes = ()
    (made.stack.settings.backup_folder / "config").unlink()
    for path in made.folder.glob("*.txt"):
        path.unlink()
    assert _lost(made) == {}


def test_a_volume_that_nobody_can_look_into_counts_as_living(made: Installation) -> None:
    (made.folder / "db_password.txt").unlink()
    made.servers.refuse = "--entrypoint find"
    assert set(_lost(made)) == {"db_password"}


def test_a_reporter_is_told_what_becomes_of_an_interrupted_one(made: Installation) -> None:
    assert isinstance(made.reporter, FakeReporter)
    made.recover()
    assert made.reporter.said == []


def test_before_the_first_start_only_the_files_change(made: Installation) -> None:
    made.servers.volumes = ()
    made.servers.running.clear()
    (made.stack.settings.backup_folder / "config").unlink()
    before, lines = made.files(), made.rotate()
    after = made.files()
    assert not [name for name in before if before[name] == after[name]]
    assert made.servers.changing == []
    assert all("nothing has used the old one yet" in line for line in lines[:-1])


def test_a_second_factor_does_not_make_a_right_password_wrong(made: Installation) -> None:
    made.servers.refuse = "/jsonrpc"  # nobody with a second factor logs in there
    made.rotate("odoo_admin_password")
    made.servers.refuse = "nothing"
    assert made.fits
    wrong = logins.look(made.stack, "Another-Value-12345")
    assert wrong and not wrong.opens


@pytest.mark.parametrize(
    ("done", "reason"),
    [
        (says('{"exists": true}'), "a repository is at BACKUP_REPOSITORY"),
        (says('{"exists": false}'), ""),
        (says(code=124), "no answer within 45 s"),
        (says(code=1, stderr="error: no route\n"), "cannot be seen (no route)"),
    ],
)
def test_a_key_is_not_made_beside_a_repository_elsewhere(
    made: Installation, monkeypatch: pytest.MonkeyPatch, done: Completed, reason: str
) -> None:
    place = "rest:http://me:secret@host/books"
    stack = replace(made.stack, settings=replace(made.stack.settings, backup_repository=place))
    monkeypatch.setattr("scripts.stack.images.has_backup_image", lambda stack: True)
    monkeypatch.setattr("scripts.stack.image_names.official", lambda *_: {"BACKUP_IMAGE": "b"})
    stack = replace(stack, runner=FakeRunner({"docker run": done}))
    (made.folder / "backup_key.txt").unlink()
    found = dependents.lost(stack, credentials.inspect(made.folder)).get("backup_key", "")
    assert reason in found and bool(reason) is bool(found)
    assert isinstance(stack.runner, FakeRunner)
    assert not [call for call in stack.runner.calls if place in " ".join(call)]


def test_the_exporters_read_their_files_again_after_the_one_that_gives_them(
    made: Installation,
) -> None:
    for names in ("monitoring_password", "db_password"):
        made.servers.calls.clear()
        made.rotate(names)
        restarts = [c[c.index("restart") + 1 :] for c in made.servers.calls if "restart" in c]
        assert restarts[-2:] == [["monitoring_secrets"], ["redis_exporter"]], names
        assert made.fits


def test_a_role_that_nobody_has_made_gets_no_password(made: Installation) -> None:
    del made.servers.roles["monitoring"]
    told = made.rotate("monitoring_password")
    assert told == ["secrets/monitoring_password.txt: new; nothing has used the old one yet"]
    assert "monitoring" not in made.servers.roles
