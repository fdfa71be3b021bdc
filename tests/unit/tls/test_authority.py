"""The private CA is what people trust: it is never replaced unasked, and never lost."""

from datetime import timedelta
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.tls import certificates, selfsigned
from scripts.tls.certificates import LEAF_LIFE
from scripts.tls.selfsigned import Authority, CertificateAction
from tests.unit.support.pki import DOMAIN, NOW

_NAMES = (DOMAIN, "localhost")
_LATE = NOW + certificates.CA_LIFE - timedelta(days=100)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA made at NOW."""
    made = Authority(tmp_path / "tls-ca")
    selfsigned.issue(made, None, _NAMES, NOW)
    return made


def _files(authority: Authority) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in authority.folder.iterdir()}


@pytest.mark.parametrize("lost", ["ca.pem", "ca-key.pem"])
@pytest.mark.parametrize("renewing", [True, False])
def test_half_a_ca_is_an_error_and_the_other_half_stays(
    authority: Authority, lost: str, renewing: bool
) -> None:
    (authority.folder / lost).unlink()
    before = _files(authority)
    with pytest.raises(OpsError, match="cannot sign with the CA"):
        selfsigned.issue(authority, None, _NAMES, NOW, force=True, renewing=renewing)
    assert _files(authority) == before


def test_a_renewal_makes_no_ca_where_there_is_none(tmp_path: Path) -> None:
    nothing = Authority(tmp_path / "tls-ca")
    with pytest.raises(OpsError, match="cannot sign with the CA"):
        selfsigned.issue(nothing, None, _NAMES, NOW, renewing=True)
    assert not nothing.folder.exists()


def test_a_renewal_near_the_end_of_the_ca_keeps_it_and_does_not_outlive_it(
    authority: Authority,
) -> None:
    before = _files(authority)
    issued = selfsigned.issue(authority, None, _NAMES, _LATE, renewing=True)
    assert (issued.ca, _files(authority)) == (CertificateAction.KEPT, before)
    end = certificates.expiry(issued.pair.certificate)
    assert end <= certificates.expiry(authority.read().certificate)
    assert end < _LATE + LEAF_LIFE


def test_a_ca_that_is_replaced_on_request_is_kept_under_another_name(authority: Authority) -> None:
    former = authority.read()
    issued = selfsigned.issue(authority, None, _NAMES, _LATE, force=True)
    assert issued.ca is CertificateAction.REPLACED
    kept = [path for path in authority.folder.iterdir() if path.name.startswith("former-")]
    contents = {path.read_bytes() for path in kept}
    assert contents == {former.certificate, former.key}
    assert authority.read() != former
    for path in kept:
        if path.read_bytes() == former.key:
            assert path.stat().st_mode & 0o077 == 0
