import os
import pwd
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.tls import certificates, trust
from scripts.tls.trust import Machine, Store
from tests.unit.support.fakes import FakeReporter, FakeRunner, says


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    pair = certificates.make_ca(datetime.now(UTC))
    path = tmp_path / "ca with space.pem"
    path.write_bytes(pair.key + b"\nNotes of somebody\n" + pair.certificate)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    folder = tmp_path / "store"
    folder.mkdir()
    profile = tmp_path / "home" / ".mozilla" / "firefox" / "me.default"
    profile.mkdir(parents=True)
    (profile / "cert9.db").touch()
    me = list(pwd.getpwuid(os.geteuid()))
    me[5] = str(tmp_path / "home")
    store = Store(folder, ("update-store",), ("update-store", "--fresh"))
    person = pwd.struct_passwd(me)
    return Machine(stores=(store,), mac=False, root=True, certutil=True, person=person)


def _store(machine: Machine) -> list[Path]:
    return list(machine.stores[0].folder.iterdir())


def test_only_the_certificate_gets_into_the_store_never_the_key(ca: Path, machine: Machine) -> None:
    runner = FakeRunner()
    lines = trust.trust(ca, runner, FakeReporter(), machine=machine)
    (copy,) = _store(machine)
    assert "KEY" in ca.read_text()
    text = copy.read_text()
    assert text.startswith("-----BEGIN CERTIFICATE-----")
    assert "KEY" not in text
    assert runner.changing[0] == ["update-store"]
    assert lines[0] == f"trusted by this machine: {copy}"
    assert lines[1].startswith("trusted by the browser with ")


def test_trusting_twice_leaves_one_copy(ca: Path, machine: Machine) -> None:
    first = trust.trust(ca, FakeRunner(), FakeReporter(), machine=machine)
    assert trust.trust(ca, FakeRunner(), FakeReporter(), machine=machine) == first
    assert len(_store(machine)) == 1


def test_a_refusal_changes_nothing(ca: Path, machine: Machine) -> None:
    runner = FakeRunner()
    with pytest.raises(OpsError, match="nothing was changed"):
        trust.trust(ca, runner, FakeReporter(answer=False), machine=machine)
    assert (runner.calls, _store(machine)) == ([], [])


def test_a_user_is_told_of_sudo_before_being_asked(ca: Path, machine: Machine) -> None:
    reporter = FakeReporter()
    with pytest.raises(OpsError, match="only root") as caught:
        trust.trust(ca, FakeRunner(), reporter, machine=replace(machine, root=False))
    assert "sudo" in caught.value.hint
    assert reporter.asked == []


def test_untrust_takes_away_what_trust_has_put_there_and_nothing_else(
    ca: Path, machine: Machine
) -> None:
    foreign = machine.stores[0].folder / "ipai-platform-00000000.crt"
    foreign.touch()
    trust.trust(ca, FakeRunner(), FakeReporter(), machine=machine)
    runner = FakeRunner()
    lines = trust.untrust(ca, runner, machine=machine)
    assert _store(machine) == [foreign]
    assert ["update-store", "--fresh"] in runner.changing
    assert runner.ran("certutil -D")
    assert len(lines) == 2


def test_where_nothing_was_installed_untrust_says_so(ca: Path, machine: Machine) -> None:
    runner = FakeRunner({"certutil -L": says(code=255)})
    assert trust.untrust(ca, runner, machine=machine) == ["this machine did not trust the CA"]
    assert runner.changing == []


def test_a_locked_profile_does_not_stop_the_rest(ca: Path, machine: Machine) -> None:
    runner = FakeRunner({"certutil -A": says(code=255, stderr="database is locked")})
    lines = trust.trust(ca, runner, FakeReporter(), machine=machine)
    assert len(_store(machine)) == 1
    assert "not trusted by the browser" in lines[1]
    assert "database is locked" in lines[1]
    assert "Import" in lines[1]


def test_without_certutil_a_person_learns_how_to_do_it_in_firefox(
    ca: Path, machine: Machine
) -> None:
    runner = FakeRunner()
    lines = trust.trust(ca, runner, FakeReporter(), machine=replace(machine, certutil=False))
    assert "Authorities > Import" in lines[-1]
    assert not runner.ran("certutil")


def test_the_browsers_of_the_person_behind_sudo_are_changed_as_that_person(
    ca: Path, machine: Machine
) -> None:
    other = list(machine.person)
    other[0], other[2] = "ada", os.geteuid() + 1
    machine = replace(machine, person=pwd.struct_passwd(other))
    runner = FakeRunner()
    trust.trust(ca, runner, FakeReporter(), machine=machine)
    assert runner.ran("runuser -u ada -- certutil -A")


def test_a_mac_gets_it_into_its_keychain(ca: Path, machine: Machine) -> None:
    mac = replace(machine, stores=(), mac=True, certutil=False)
    runner = FakeRunner()
    trust.trust(ca, runner, FakeReporter(), machine=mac)
    assert runner.changing[0][:2] == ["security", "add-trusted-cert"]
    assert runner.changing[0][-1] == str(ca)
    assert trust.untrust(ca, runner, machine=mac) == ["this machine did not trust the CA"]


def test_a_dry_run_writes_nothing(ca: Path, machine: Machine) -> None:
    trust.trust(ca, FakeRunner(dry=True), FakeReporter(), machine=machine)
    assert _store(machine) == []


def test_an_unknown_kind_of_machine_is_left_to_the_person(ca: Path, machine: Machine) -> None:
    with pytest.raises(OpsError, match="cannot tell") as caught:
        trust.trust(ca, FakeRunner(), FakeReporter(), machine=replace(machine, stores=()))
    assert "update-ca-certificates" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "there is no CA"), (b"", "0 certificates"), (b"\xff\xfe", "cannot read")],
)
def test_what_is_no_ca_is_refused(
    tmp_path: Path, machine: Machine, content: bytes | None, message: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OpsError, match=message):
        trust.trust(path, FakeRunner(), FakeReporter(), machine=machine)


def test_the_way_by_hand_quotes_the_path(ca: Path) -> None:
    assert f"sudo cp '{ca}' " in "\n".join(trust.by_hand(ca))
