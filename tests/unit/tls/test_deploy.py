from dataclasses import replace

import pytest

from scripts.core.errors import OpsError
from scripts.stack import ingress
from scripts.stack.compose import Stack
from scripts.tls import deploy
from scripts.tls.deploy import DeployState
from scripts.tls.store import Installed, Kind, Store
from tests.unit.support.fake_nginx import FakeNginx
from tests.unit.support.fakes import says
from tests.unit.support.pki import issued_now

_EXEC = "docker exec nginx"
_TEST, _RELOAD = f"{_EXEC} nginx -t", f"{_EXEC} nginx -s reload"


def _new() -> Installed:
    return Installed(issued_now(), Kind.LETSENCRYPT, "https://acme.example/dir")


def _in_use(stack: Stack) -> Installed | None:
    return Store(stack.settings.certificates).read()


@pytest.fixture
def former(stack: Stack, nginx: FakeNginx) -> Installed:
    """What is in use and served before."""
    new = _new()
    deploy.install(stack, new)
    nginx.calls.clear()
    return new


def _commands(nginx: FakeNginx) -> list[list[str]]:
    return [argv[argv.index("nginx") :] for argv in nginx.calls if "exec" in argv]


def test_where_nothing_serves_a_certificate_is_put_in_use_without_a_word_to_nginx(
    stack: Stack, nginx: FakeNginx
) -> None:
    nginx.running = False
    new = _new()
    deploy.install(stack, new)
    assert _in_use(stack) == new
    assert _commands(nginx) == []


def test_nginx_is_tested_before_it_is_reloaded_and_never_restarted(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    new = _new()
    deploy.install(stack, new)
    assert _in_use(stack) == new != former
    assert nginx.serves == new.pair.certificate
    assert _commands(nginx)[-2:] == [["nginx", "nginx", "-t"], ["nginx", "nginx", "-s", "reload"]]
    assert nginx.changing == []


def test_what_nginx_refuses_is_taken_back_and_nginx_quoted(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    nginx.answers[_TEST] = says(code=1, stderr="[emerg] bad key\nconfiguration test failed\n")
    with pytest.raises(OpsError, match="refuses its configuration") as caught:
        deploy.install(stack, _new())
    assert "[emerg] bad key\n  configuration test failed" in caught.value.message
    assert _in_use(stack) == former
    assert nginx.serves == former.pair.certificate


def test_a_reload_that_fails_is_an_error_and_taken_back(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    nginx.answers[_RELOAD] = says(code=1, stderr="no such process")
    with pytest.raises(OpsError, match="not reloaded: no such process"):
        deploy.install(stack, _new())
    assert _in_use(stack) == former


def test_renewed_but_the_old_one_still_served_is_an_error_and_taken_back(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    nginx.stuck = True
    with pytest.raises(OpsError, match="serves another certificate") as caught:
        deploy.install(stack, _new())
    assert "inv logs --service nginx" in caught.value.hint
    assert _in_use(stack) == former
    assert _commands(nginx)[-1] == ["nginx", "nginx", "-s", "reload"]


def test_old_workers_that_answer_for_a_moment_are_no_error(
    stack: Stack, nginx: FakeNginx, former: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = iter(["the old one", "the old one", ""])
    waits: list[float] = []
    monkeypatch.setattr(deploy, "_RELOAD_SECONDS", 600)
    monkeypatch.setattr(ingress, "certificate_problem", lambda _: next(problems))
    monkeypatch.setattr("time.sleep", waits.append)
    deploy.apply(stack)
    assert len(waits) == 2


def test_a_first_certificate_that_is_refused_is_an_error_too(
    stack: Stack, nginx: FakeNginx
) -> None:
    nginx.answers[_TEST] = says(code=1, stderr="[emerg] no")
    with pytest.raises(OpsError, match="refuses its configuration"):
        deploy.install(stack, _new())


def test_an_interrupted_switch_is_taken_back(
    stack: Stack, former: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Stack) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(deploy, "served_problem", interrupted)
    with pytest.raises(KeyboardInterrupt):
        deploy.install(stack, _new())
    assert _in_use(stack) == former


def test_another_domain_starts_nginx_anew_because_a_reload_would_not_learn_it(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    (stack.settings.root / ".env").write_text("ODOO_DOMAIN=new.example.com\n")
    settings = replace(stack.settings, domains=("new.example.com",))
    moved = replace(stack, settings=settings)
    new = Installed(issued_now(("new.example.com",)), Kind.LETSENCRYPT, "")
    deploy.install(moved, new)
    assert nginx.ran("docker compose up --detach --no-deps --no-build --wait nginx")
    assert not nginx.ran(_RELOAD)
    assert (nginx.domain, nginx.serves) == ("new.example.com", new.pair.certificate)


def test_old_versions_go_only_after_the_new_one_is_served(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    versions = stack.settings.certificates / "versions"
    for _ in range(3):
        deploy.install(stack, _new())
    assert len(list(versions.iterdir())) == 3
    nginx.stuck = True
    with pytest.raises(OpsError):
        deploy.install(stack, _new())
    assert len(list(versions.iterdir())) == 4


# --- whether anything serves ---


def test_without_an_engine_nothing_is_known(stack: Stack, nginx: FakeNginx) -> None:
    assert deploy.state(stack) is DeployState.SERVING
    assert deploy.reachable(stack)
    nginx.answers["docker ps"] = OpsError("no engine")
    assert not deploy.reachable(stack)
    with pytest.raises(OpsError, match="no engine"):
        deploy.state(stack)


def test_a_renewal_that_cannot_look_at_nginx_fails_and_is_taken_back(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    nginx.answers["docker ps"] = OpsError("no engine")
    with pytest.raises(OpsError, match="no engine"):
        deploy.install(stack, _new())
    present = _in_use(stack)
    assert present and present.pair == former.pair


def test_an_nginx_that_is_stopped_or_without_https_serves_nothing(
    stack: Stack, nginx: FakeNginx
) -> None:
    nginx.port, nginx.target = 80, 80  # the development site
    assert deploy.state(stack) is DeployState.ABSENT
    nginx.port, nginx.target, nginx.state = 443, 443, "exited"
    assert deploy.state(stack) is DeployState.ABSENT
    nginx.running = False
    assert deploy.state(stack) is DeployState.ABSENT


@pytest.mark.parametrize(
    ("port", "state", "words"), [(8444, "running", "another port"), (443, "paused", "is paused")]
)
def test_an_nginx_in_an_odd_way_is_an_error_and_not_taken_for_absent(
    stack: Stack, nginx: FakeNginx, port: int, state: str, words: str
) -> None:
    nginx.port, nginx.state = port, state
    with pytest.raises(OpsError, match=words) as caught:
        deploy.state(stack)
    assert "inv up --prod" in caught.value.hint


def test_an_nginx_that_keeps_failing_is_started_anew(stack: Stack, nginx: FakeNginx) -> None:
    nginx.state = "restarting"
    with pytest.raises(OpsError):  # it serves nothing here
        deploy.install(stack, _new())
    assert nginx.ran("docker compose restart nginx")


def test_what_is_wrong_with_the_served_certificate_is_a_text_and_no_exception(
    stack: Stack, nginx: FakeNginx, former: Installed
) -> None:
    assert deploy.served_problem(stack) == ""
    nginx.running = False
    assert deploy.served_problem(stack) == "no HTTPS"
