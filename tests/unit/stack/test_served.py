"""What `inv clone --serve` keeps, refuses and stops, without an engine."""

from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core.clone_settings import CloneSettings
from scripts.core.errors import OpsError, UsageError
from scripts.core.http import Reply
from scripts.core.settings import Environment, Settings
from scripts.stack import preflight, served
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in

_SERVED = CloneSettings("staging", "localhost", "127.0.0.1", 8070, ("supabase", "clone"))


def _stack(root: Path, clone: CloneSettings = _SERVED, **fields: object) -> Stack:
    return Stack(settings_in(root, clone=clone, **fields), FakeRunner())  # type: ignore[arg-type]


def test_a_copy_is_served_if_its_profile_is_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CLONE_DATABASE", "CLONE_DOMAIN", "CLONE_PORT", "COMPOSE_PROFILES"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text("CLONE_DATABASE=training\nCLONE_PORT=8123\n")
    assert Settings.load(tmp_path).clone.served == ""
    with (tmp_path / ".env").open("a") as file:
        file.write("COMPOSE_PROFILES=supabase,clone\nCLONE_DOMAIN=test.example.com\n")
    clone = Settings.load(tmp_path).clone
    assert clone.served == "training"
    assert clone.url == "http://training.test.example.com:8123"
    assert clone.mail_page == f"{clone.url}/_mail/"


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8070"),
        ("0.0.0.0", "http://127.0.0.1:8070"),
        ("10.1.2.3", "http://10.1.2.3:8070"),
        ("::", "http://[::1]:8070"),
    ],
)
def test_it_is_asked_where_it_listens(bind: str, url: str) -> None:
    assert replace(_SERVED, bind=bind).local_url == url


def test_nothing_but_a_clone_takes_the_place_of_what_is_served(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'staging' is served"):
        served.refuse(_stack(tmp_path), "staging")
    served.refuse(_stack(tmp_path), "training")
    served.refuse(_stack(tmp_path, replace(_SERVED, profiles=())), "staging")


def test_what_is_forgotten_leaves_other_profiles(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("CLONE_DATABASE=staging\nCOMPOSE_PROFILES=supabase,clone\n")
    served.forget(_stack(tmp_path), FakeReporter())
    assert env.read_text() == "CLONE_DATABASE=\nCOMPOSE_PROFILES=supabase\n"
    assert Settings.load(tmp_path).clone.served == ""


def test_the_environment_must_not_say_what_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_PROFILES", "supabase")
    with pytest.raises(UsageError, match="COMPOSE_PROFILES"):
        served.prepare(_stack(tmp_path), FakeReporter(), "staging")


def test_a_name_below_that_of_the_site_is_refused(tmp_path: Path) -> None:
    clone = replace(_SERVED, domain="test.example.com")
    production = _stack(
        tmp_path, clone, environment=Environment.PROD, domains=("www.shop.com", "example.com")
    )
    with pytest.raises(UsageError, match="insist on HTTPS"):
        served.prepare(production, FakeReporter(), "staging")


def test_a_port_that_is_taken_is_an_error_before_anything_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_bind_problem", lambda *_: 98)
    with pytest.raises(OpsError, match="nothing was copied"):
        served.prepare(_stack(tmp_path), FakeReporter(), "staging")


@pytest.mark.parametrize(("address", "served_there"), [(_SERVED.url, True), ("https://x", False)])
def test_a_copy_whose_links_lead_elsewhere_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, served_there: bool
) -> None:
    """So it is with an image of Odoo that was built before there were served copies."""
    monkeypatch.setattr(served, "get", lambda *_, **__: Reply(200, ""))
    stack = _stack(tmp_path)
    assert isinstance(stack.runner, FakeRunner)
    stack.runner.answers["docker exec odoo_db psql"] = says(f"{address}\n")
    if served_there:
        assert served.serve(stack, FakeReporter(), "staging").url == _SERVED.url
    else:
        with pytest.raises(OpsError, match="its links would lead to https://x"):
            served.serve(stack, FakeReporter(), "staging")
    removed = [argv for argv in stack.runner.changing if "rm" in argv]
    assert len(removed) == (0 if served_there else 1)
