"""A production stack of fakes: settings, an Nginx that serves, a certbot that answers."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from scripts.core.settings import Environment
from scripts.stack import engine, images, ingress
from scripts.stack.compose import Stack
from scripts.tls import deploy
from scripts.tls.certificates import Pair
from scripts.tls.store import Installed, Kind, Store
from tests.unit.support.fake_nginx import FakeNginx
from tests.unit.support.fakes import says, settings_in
from tests.unit.support.pki import DOMAIN

NEW: Final = "new.example.com"
SERVER: Final = "https://acme.example/dir"
DUE: Final = timedelta(days=61)  # the age of a certificate with less than a third of 90 days left
CERTBOT: Final = "docker compose --profile certbot run --rm --no-deps -T"
ORDER, READ = f"{CERTBOT} certbot certonly", f"{CERTBOT} --entrypoint sh certbot"
LOOK: Final = f"{CERTBOT} --entrypoint python3 certbot -"


def running(root: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNginx:
    """An engine with an Nginx for DOMAIN, and a certbot container for whom all is well."""
    monkeypatch.setattr(deploy, "_RELOAD_SECONDS", -1)
    monkeypatch.setattr(engine, "probe", lambda _: None)
    monkeypatch.setattr(images, "ensure", lambda *_: None)
    monkeypatch.setattr(images, "ensure_one", lambda *_: None)
    fake = FakeNginx(root=root, domain=DOMAIN)
    monkeypatch.setattr(ingress, "served_certificate", fake.served)
    found = {name: {"addresses": [], "error": "", "body": "t"} for name in (DOMAIN, NEW)}
    fake.answers[LOOK] = says(json.dumps({"token": "t", "found": found}))
    return fake


def production(nginx: FakeNginx) -> Stack:
    """A stack for DOMAIN with `nginx`; no certificate yet."""
    (nginx.root / ".env").write_text(f"# Mine\nODOO_DOMAIN={DOMAIN}\n")
    settings = settings_in(
        nginx.root, environment=Environment.PROD, domains=(DOMAIN,), acme_server=SERVER
    )
    settings.certificates.mkdir(parents=True)
    return Stack(settings, nginx)


def in_use(stack: Stack) -> Installed:
    """The certificate in use."""
    found = Store(stack.settings.certificates).read()
    assert found
    return found


def use(stack: Stack, pair: Pair, kind: Kind) -> Installed:
    """Have `pair` in use, and served if Nginx runs."""
    new = Installed(pair, kind, SERVER if kind is Kind.LETSENCRYPT else "")
    deploy.install(stack, new)
    if kind is Kind.OWN:
        (Store(stack.settings.certificates).current / "about.json").unlink()
    return new


def certbot_has(nginx: FakeNginx, pair: Pair) -> None:
    """What certbot keeps, before and after an order."""
    nginx.answers[READ] = says((pair.certificate + pair.key).decode())
