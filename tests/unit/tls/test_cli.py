import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.core import scheduler
from scripts.core.console import Console
from scripts.core.errors import EXIT_USAGE, OpsError, UsageError
from scripts.stack.compose import Stack
from scripts.tls import acme, certificates, options, render, renewal, setup, trust
from scripts.tls.options import TlsRequest
from scripts.tls.renewal import Renewal
from scripts.tls.selfsigned import CertificateAction
from scripts.tls.setup import Outcome
from scripts.tls.store import Installed, Kind
from tests.support.json_documentation import problems
from tests.unit.support.fakes import FakeReporter, FakeRunner, settings_in
from tests.unit.support.pki import DOMAIN, issued_now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(settings_in(tmp_path), FakeRunner())


@pytest.fixture
def outcome() -> Outcome:
    return Outcome(
        Installed(issued_now(), Kind.LETSENCRYPT, "https://acme.example/dir"),
        CertificateAction.REPLACED,
    )


def _selfsigned(*, ca: CertificateAction = CertificateAction.KEPT) -> Outcome:
    now = datetime.now(UTC)
    pair = certificates.make_leaf(certificates.make_ca(now), ("localhost",), now)
    return Outcome(Installed(pair, Kind.SELFSIGNED), CertificateAction.CREATED, ca, "it is old")


# --- flags ---


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        (TlsRequest(), "which certificate"),
        (TlsRequest("nonsense"), "'nonsense' is no kind"),
        (TlsRequest("own"), "'own' is no kind"),
        (TlsRequest("Selfsigned"), "'Selfsigned' is no kind"),
        (TlsRequest("selfsigned", email="a@b.c"), "go with `inv setup-tls letsencrypt`"),
        (TlsRequest("selfsigned", server="https://a.b"), "go with `inv setup-tls letsencrypt`"),
        (TlsRequest("selfsigned", staging=True), "go with `inv setup-tls letsencrypt`"),
        (TlsRequest(schedule=True, staging=True), "go with `inv setup-tls letsencrypt`"),
        (TlsRequest(trust=True, domains=(DOMAIN,)), "need a kind of certificate"),
        (TlsRequest(schedule=True, force=True), "need a kind of certificate"),
        (
            TlsRequest("letsencrypt", staging=True, server="https://a.b"),
            "two different authorities",
        ),
        (TlsRequest("letsencrypt", server="a.b/dir"), "https://"),
        (TlsRequest("letsencrypt", server="http://a.b/dir"), "https://"),
        (TlsRequest("letsencrypt", server="https://"), "https://"),
        (TlsRequest("selfsigned", schedule=True, unschedule=True), "exclude each other"),
        (TlsRequest(trust=True, untrust=True), "exclude each other"),
    ],
)
def test_flags_that_do_not_go_together_are_refused_before_anything_is_done(
    stack: Stack, wanted: TlsRequest, word: str
) -> None:
    with pytest.raises(UsageError, match=word) as caught:
        options.set_up(stack, FakeReporter(), wanted)
    assert caught.value.exit_code == EXIT_USAGE
    assert isinstance(stack.runner, FakeRunner)
    assert stack.runner.calls == []
    assert list(stack.settings.root.iterdir()) == []


def test_it_cannot_be_rehearsed_and_staging_is_named_instead(tmp_path: Path) -> None:
    stack = Stack(settings_in(tmp_path), FakeRunner(dry=True))
    with pytest.raises(UsageError, match="cannot be rehearsed") as caught:
        options.set_up(stack, FakeReporter(), TlsRequest("selfsigned"))
    assert "--staging" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wanted", "server"),
    [
        (TlsRequest("letsencrypt"), ""),
        (TlsRequest("letsencrypt", staging=True), acme.STAGING),
        (TlsRequest("letsencrypt", server="https://a.b/dir"), "https://a.b/dir"),
    ],
)
def test_the_flags_choose_the_authority(
    stack: Stack,
    outcome: Outcome,
    monkeypatch: pytest.MonkeyPatch,
    wanted: TlsRequest,
    server: str,
) -> None:
    asked: list[str] = []

    def use(*_: object, server: str, email: str, force: bool) -> Outcome:
        asked.append(server)
        return outcome

    monkeypatch.setattr(setup, "use_letsencrypt", use)
    lines = options.set_up(stack, FakeReporter(), wanted)
    assert asked == [server]
    assert "Authority:   https://acme.example/dir" in lines


def test_certificate_then_trust_then_schedule(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def record(name: str, answer: object) -> Callable[..., object]:
        def step(*_: object, **__: object) -> object:
            done.append(name)
            return answer

        return step

    monkeypatch.setattr(setup, "use_selfsigned", record("certificate", _selfsigned()))
    monkeypatch.setattr(trust, "trust", record("trust", ["trusted"]))
    monkeypatch.setattr(scheduler, "install", record("schedule", "a timer"))
    lines = options.set_up(
        stack, FakeReporter(), TlsRequest("selfsigned", trust=True, schedule=True)
    )
    assert done == ["certificate", "trust", "schedule"]
    assert lines[-2:] == ["trusted", "Renewal: a timer"]


@pytest.mark.parametrize(("there", "said"), [(True, "no longer"), (False, "was not")])
def test_unscheduling_says_whether_there_was_anything(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, there: bool, said: str
) -> None:
    names: list[str] = []

    def remove(name: str, _: object) -> bool:
        names.append(name)
        return there

    monkeypatch.setattr(scheduler, "remove", remove)
    (line,) = options.set_up(stack, FakeReporter(), TlsRequest(unschedule=True))
    assert names == ["ipai-platform-renew-tls"]
    assert line == f"Renewal: {said} scheduled"


def test_nothing_is_scheduled_where_the_certificate_failed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OpsError("no")

    monkeypatch.setattr(setup, "use_selfsigned", fail)
    monkeypatch.setattr(scheduler, "install", lambda *_: pytest.fail("was scheduled"))
    with pytest.raises(OpsError):
        options.set_up(stack, FakeReporter(), TlsRequest("selfsigned", schedule=True))


def test_the_job_runs_this_installation_and_takes_not_due_for_success(stack: Stack) -> None:
    job = renewal.job(stack.settings)
    assert job.name == "ipai-platform-renew-tls"
    assert job.argv == (f"{stack.settings.root}/scripts/inv", "renew-tls")
    assert Path(job.argv[0]).is_absolute() and job.folder == stack.settings.root
    assert job.success_codes == (0, renewal.EXIT_NOT_DUE)
    assert len(job.hours) == 2


# --- what is said ---


def test_the_summary_names_the_files_the_names_the_end_and_three_ways_to_trust(
    stack: Stack,
) -> None:
    made = _selfsigned()
    text = "\n".join(render.describe(stack.settings, made))
    root = stack.settings.root
    for word in (
        "selfsigned, created (it is old)",
        f"{root}/nginx/certs/current/fullchain.pem",
        "localhost",
        f"{made.expires:%Y-%m-%d}",
        f"{root}/tls-ca/ca.pem",
        "Debian",
        "macOS",
        "Firefox",
    ):
        assert word in text
    assert "near its end" not in text and "ca-key" not in text


def test_a_new_ca_has_to_be_trusted_anew_and_that_is_said(stack: Stack) -> None:
    lines = render.describe(stack.settings, _selfsigned(ca=CertificateAction.REPLACED))
    assert any("trust the new one" in line for line in lines)


def test_renewed_not_due_and_failed_have_codes_of_their_own() -> None:
    codes = [Renewal.RENEWED.exit_code, Renewal.NOT_DUE.exit_code]
    assert codes == [0, 3]
    assert OpsError("failed").exit_code not in codes


def _shown(out: io.StringIO, renewal: Renewal, outcome: Outcome, *, as_json: bool = False) -> str:
    console = Console(out, io.StringIO(), colour=False, live=False)
    render.show_renewal(console, renewal, outcome, as_json=as_json)
    return out.getvalue()


def test_cron_hears_of_a_renewal_and_nothing_else(outcome: Outcome) -> None:
    assert _shown(io.StringIO(), Renewal.NOT_DUE, outcome) == ""
    assert "TLS certificate renewed" in _shown(io.StringIO(), Renewal.RENEWED, outcome)


def test_a_person_is_told_how_many_days_are_left(outcome: Outcome) -> None:
    said = _shown(Terminal(), Renewal.NOT_DUE, outcome)
    assert f"not due; it expires on {outcome.expires:%Y-%m-%d} (in 89 days)" in said


@pytest.mark.parametrize("renewal", [Renewal.RENEWED, Renewal.NOT_DUE])
def test_a_machine_always_gets_the_same_fields(outcome: Outcome, renewal: Renewal) -> None:
    text = _shown(io.StringIO(), renewal, outcome, as_json=True)
    assert problems("renew-tls", text) == []
    shown = json.loads(text)
    end = datetime.fromisoformat(shown.pop("expires"))
    assert end == outcome.expires and end.utcoffset() == timedelta(0)
    assert shown == {
        "state": renewal.value,
        "kind": "letsencrypt",
        "names": [DOMAIN],
        "reason": "",
        "ca": "kept",
    }
