import json
import os
import shutil
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from scripts.core.errors import OpsError
from scripts.tls.certificates import Pair
from scripts.tls.store import Installed, Kind, Store
from tests.unit.support.pki import DOMAIN, NOW, issued

_SERVER = "https://acme.example/dir"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folder = tmp_path / "nginx" / "certs"
    folder.mkdir(parents=True)
    return Store(folder)


def _add(store: Store, minutes: int = 0, kind: Kind = Kind.LETSENCRYPT) -> str:
    return store.add(Installed(issued(), kind, _SERVER), NOW + timedelta(minutes=minutes))


def _by_hand(store: Store, pair: Pair | None = None) -> Pair:
    pair = pair or issued()
    store.current.mkdir(exist_ok=True)
    (store.current / "fullchain.pem").write_bytes(pair.certificate)
    (store.current / "privkey.pem").write_bytes(pair.key)
    return pair


def test_where_there_is_no_certificate_none_is_read(store: Store) -> None:
    assert store.read() is None
    assert Store(store.folder / "missing").read() is None


def test_what_was_added_is_in_use_only_after_the_switch(store: Store) -> None:
    new = Installed(issued(), Kind.LETSENCRYPT, _SERVER)
    version = store.add(new)
    assert store.read() is None
    assert store.switch(version) == ""
    assert store.read() == new
    assert new.names == (DOMAIN,)


def test_the_key_is_for_its_owner_alone_whatever_the_umask(store: Store) -> None:
    before = os.umask(0)
    try:
        store.switch(_add(store))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in store.current.iterdir()}
    assert modes == {"privkey.pem": 0o600, "fullchain.pem": 0o644, "about.json": 0o644}
    assert b"PRIVATE" not in (store.current / "fullchain.pem").read_bytes()


def test_a_pair_without_a_word_about_it_was_put_there_by_hand(store: Store) -> None:
    assert store.read() is None
    pair = _by_hand(store)
    assert store.read() == Installed(pair, Kind.OWN)


@pytest.mark.parametrize(
    "about", ["", "{", "[]", "null", "{}", '{"kind": "moon", "server": "", "sha256": ""}', "\xff"]
)
def test_a_broken_word_about_it_makes_it_somebodys_own(store: Store, about: str) -> None:
    store.switch(_add(store))
    (store.current / "about.json").write_bytes(about.encode("latin-1"))
    found = store.read()
    assert found and found.kind is Kind.OWN


def test_a_good_pair_copied_over_ours_is_somebodys_own(store: Store) -> None:
    store.switch(_add(store, kind=Kind.SELFSIGNED))
    pair = _by_hand(store)
    assert store.read() == Installed(pair, Kind.OWN)


def test_a_damaged_pair_of_ours_is_still_ours_to_replace(store: Store) -> None:
    store.switch(_add(store, kind=Kind.SELFSIGNED))
    _by_hand(store, Pair(b"", b""))
    found = store.read()
    assert found and found.kind is Kind.SELFSIGNED


@pytest.mark.parametrize("name", ["fullchain.pem", "privkey.pem"])
def test_a_missing_half_is_an_error_and_not_taken_for_nothing(store: Store, name: str) -> None:
    store.switch(_add(store))
    (store.current / name).unlink()
    with pytest.raises(OpsError, match=f"{name} is missing"):
        store.read()


def test_a_folder_in_the_place_of_a_file_is_explained(store: Store) -> None:
    (store.current / "fullchain.pem").mkdir(parents=True)
    (store.current / "privkey.pem").touch()
    with pytest.raises(OpsError, match=r"cannot read .*fullchain\.pem: Is a directory"):
        store.read()


def test_a_file_in_the_place_of_the_versions_is_explained(store: Store) -> None:
    (store.folder / "versions").touch()
    with pytest.raises(OpsError, match="cannot make"):
        _add(store)


def test_a_switch_gives_back_what_to_go_back_to(store: Store) -> None:
    first, second = _add(store), _add(store, 1)
    store.switch(first)
    before = store.read()
    assert store.switch(second) == first
    assert store.read() != before
    assert store.switch(first) == second
    assert store.read() == before


def test_the_link_holds_where_the_tree_is_mounted_elsewhere(store: Store, tmp_path: Path) -> None:
    store.switch(_add(store))
    elsewhere = tmp_path / "elsewhere"
    shutil.move(store.folder, elsewhere)
    assert Store(elsewhere).read() is not None


def test_a_folder_made_by_hand_becomes_a_version_to_go_back_to(store: Store) -> None:
    pair = _by_hand(store)
    previous = store.switch(_add(store))
    assert previous.startswith("own-")
    assert store.current.is_symlink()
    store.switch(previous)
    assert store.read() == Installed(pair, Kind.OWN)


@pytest.mark.parametrize("absolute", [False, True])
def test_a_link_made_by_hand_can_be_gone_back_to(
    store: Store, tmp_path: Path, absolute: bool
) -> None:
    pair = _by_hand(store)
    place = (tmp_path if absolute else store.folder) / "mine"
    store.current.rename(place)
    store.current.symlink_to(place if absolute else "mine")
    store.switch(store.switch(_add(store)))
    assert store.read() == Installed(pair, Kind.OWN)


def _versions(store: Store) -> set[str]:
    return {path.name for path in (store.folder / "versions").iterdir()}


def test_the_newest_three_are_kept_whoever_issued_them(store: Store) -> None:
    kinds = [Kind.SELFSIGNED, Kind.LETSENCRYPT, Kind.LETSENCRYPT, Kind.SELFSIGNED]
    names = [_add(store, minutes, kind) for minutes, kind in enumerate(kinds)]
    store.switch(names[-1])
    store.prune()
    assert _versions(store) == set(names[1:])


def test_the_one_in_use_is_kept_however_old(store: Store) -> None:
    names = [_add(store, minutes) for minutes in range(5)]
    store.switch(names[0])
    store.prune()
    assert _versions(store) == {names[0], *names[2:]}
    assert store.read() is not None


def test_what_was_made_by_hand_is_never_removed(store: Store) -> None:
    _by_hand(store)
    own = store.switch(_add(store))
    (store.folder / "versions" / "selfsigned-mine").mkdir()
    for minutes in range(1, 6):
        store.switch(_add(store, minutes))
    store.prune()
    assert {own, "selfsigned-mine"} < _versions(store)
    assert len(_versions(store)) == 5


@pytest.mark.parametrize("step", ["symlink_to", "replace"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_disk_that_refuses_the_switch_leaves_the_former_in_use(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: str, by_hand: bool
) -> None:
    if by_hand:
        _by_hand(store)
    else:
        store.switch(_add(store))
    before, new = store.read(), _add(store, 1)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Path, step, full)
        with pytest.raises(OpsError, match="No space left"):
            store.switch(new)
    assert store.read() == before is not None
    store.switch(new)  # what the failed one left behind is in nobody's way
    assert store.read() != before


def test_a_disk_that_is_full_while_a_version_is_written_leaves_the_former_in_use(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.switch(_add(store))
    before = store.read()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", full)
        with pytest.raises(OpsError, match="No space left"):
            _add(store, 1)
    assert store.read() == before


def test_what_is_said_about_a_version_can_be_read_by_people(store: Store) -> None:
    store.switch(_add(store))
    about = json.loads((store.current / "about.json").read_text())
    assert (about["kind"], about["server"], about["names"]) == ("letsencrypt", _SERVER, [DOMAIN])
