"""What `inv health` says of a certificate before browsers refuse it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scripts.core.checks import Status
from scripts.core.settings import Environment, Settings
from scripts.tls import expiry
from scripts.tls.certificates import Pair
from scripts.tls.store import Installed, Kind, Store
from tests.unit.support.fakes import settings_in
from tests.unit.support.pki import DOMAIN, issued

_DAY = timedelta(days=1)


def _use(settings: Settings, pair: Pair, kind: Kind) -> None:
    settings.certificates.mkdir(parents=True)
    store = Store(settings.certificates)
    store.switch(store.add(Installed(pair, kind)))
    if kind is Kind.OWN:
        (store.current / "about.json").unlink()


def _pair(life: timedelta, left: timedelta) -> Pair:
    return issued(start=datetime.now(UTC) - (life - left), life=life)


@pytest.mark.parametrize(
    ("kind", "life", "left", "status"),
    [
        (Kind.OWN, 90 * _DAY, 15 * _DAY, Status.OK),
        (Kind.OWN, 90 * _DAY, 13 * _DAY, Status.WARNING),
        (Kind.OWN, 90 * _DAY, 4 * _DAY, Status.WARNING),
        (Kind.OWN, 90 * _DAY, 3 * _DAY, Status.FAILED),
        (Kind.OWN, 3 * _DAY, 3 * _DAY, Status.FAILED),  # nobody renews it
        (Kind.OWN, 90 * _DAY, -1 * _DAY, Status.FAILED),
        (Kind.SELFSIGNED, 397 * _DAY, 10 * _DAY, Status.WARNING),
        (Kind.LETSENCRYPT, 90 * _DAY, 29 * _DAY, Status.OK),  # it is due, and has its time
        (Kind.LETSENCRYPT, 90 * _DAY, 10 * _DAY, Status.WARNING),
        (Kind.LETSENCRYPT, 90 * _DAY, 3 * _DAY, Status.FAILED),
        (Kind.LETSENCRYPT, 6 * _DAY, 2 * _DAY, Status.OK),
        (Kind.LETSENCRYPT, 6 * _DAY, 0.9 * _DAY, Status.WARNING),
        (Kind.LETSENCRYPT, 6 * _DAY, 0.1 * _DAY, Status.FAILED),
    ],
)
def test_a_certificate_that_ends_soon_is_not_well(
    tmp_path: Path, kind: Kind, life: timedelta, left: timedelta, status: Status
) -> None:
    settings = settings_in(tmp_path, environment=Environment.PROD, domains=(DOMAIN,))
    _use(settings, _pair(life, left), kind)
    found = expiry.finding(settings)
    assert found.status is status
    if status is not Status.OK:
        ends = datetime.now(UTC) + left
        assert f"{ends:%Y-%m-%d}" in found.detail
        assert ("inv renew-tls" in found.hint) == (kind is not Kind.OWN)


def test_one_that_is_missing_or_for_another_name_has_failed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, environment=Environment.PROD, domains=("shop.test",))
    assert expiry.finding(settings).status is Status.FAILED
    _use(settings, _pair(90 * _DAY, 80 * _DAY), Kind.OWN)
    found = expiry.finding(settings)
    assert found.status is Status.FAILED and "not for shop.test" in found.detail
