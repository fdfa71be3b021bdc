import ast
import csv
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import Settings
from scripts.modules import scaffold
from scripts.stack.compose import Stack
from tests.conftest import ROOT
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    shutil.copytree(ROOT / "odoo" / "scaffold", tmp_path / "odoo" / "scaffold")
    (tmp_path / "odoo" / "addons").mkdir()
    return settings_in(tmp_path)


def _texts(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def test_a_module_has_the_name_everywhere(settings: Settings) -> None:
    made = scaffold.create(settings, "fleet_fuel2")
    assert made == settings.root / "odoo" / "addons" / "fleet_fuel2"
    texts = _texts(made)
    assert set(texts) == {
        "__init__.py",
        "__manifest__.py",
        "README.md",
        "models/__init__.py",
        "models/fleet_fuel2.py",
        "security/ir.model.access.csv",
        "tests/__init__.py",
        "tests/test_fleet_fuel2.py",
        "views/fleet_fuel2.xml",
    }
    for name in ("my_module", "my.module", "MyModule", "My Module"):
        assert not [place for place, text in texts.items() if name in text + place]
    assert '_name = "fleet.fuel2"' in texts["models/fleet_fuel2.py"]
    assert "class FleetFuel2(models.Model)" in texts["models/fleet_fuel2.py"]
    assert '"name": "Fleet Fuel2"' in texts["__manifest__.py"]
    assert (
        "access_fleet_fuel2_user,fleet.fuel2 user,model_fleet_fuel2,"
        in (texts["security/ir.model.access.csv"])
    )


@pytest.mark.parametrize("name", ["ab", "sale_extra", "x1", "module", "my_module", "a" * 50])
def test_every_file_of_it_can_be_read(settings: Settings, name: str) -> None:
    made = scaffold.create(settings, name)
    manifest = ast.literal_eval((made / "__manifest__.py").read_text())
    for path in made.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")
    for file in manifest["data"]:
        if file.endswith(".xml"):
            ElementTree.parse(made / file)
        else:
            rows = list(csv.reader((made / file).read_text().splitlines()))
            assert {len(row) for row in rows} == {8}
    imported = ast.parse((made / "models" / "__init__.py").read_text()).body[0]
    assert isinstance(imported, ast.ImportFrom)
    assert (made / "models" / f"{imported.names[0].name}.py").is_file()


def test_the_user_of_the_container_may_read_it(settings: Settings) -> None:
    made = scaffold.create(settings, "sale_extra")
    for path in [made, *made.rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize(
    "name",
    ["", "a", "A", "Sale", "1st", "_a", "a_", "a__b", "a-b", "a b", "a.b", "../up", "a/b", "ä_b",
     "class", "lambda", "a" * 51, "sale\n", "--help"],
)  # fmt: skip
def test_what_is_no_name_is_refused(settings: Settings, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a module"):
        scaffold.create(settings, name)
    assert list((settings.root / "odoo" / "addons").iterdir()) == []


@pytest.mark.parametrize("place", ["sale_extra", "some-repository/sale_extra"])
def test_what_is_there_already_is_left_as_it_is(settings: Settings, place: str) -> None:
    folder = settings.root / "odoo" / "addons" / place
    folder.mkdir(parents=True)
    with pytest.raises(UsageError, match=f"odoo/addons/{place} already"):
        scaffold.create(settings, "sale_extra")
    assert list(folder.iterdir()) == []


def test_a_link_that_leads_nowhere_is_left_as_it_is(settings: Settings) -> None:
    link = settings.root / "odoo" / "addons" / "sale_extra"
    link.symlink_to("nowhere")
    with pytest.raises(UsageError, match="already"):
        scaffold.create(settings, "sale_extra")
    assert link.is_symlink()


def test_a_failure_half_way_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text, written = Path.write_text, []

    def full(path: Path, *arguments: str, **options: str) -> int:
        written.append(path)
        if len(written) > 3:
            raise OSError(28, "No space left on device")
        return write_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OpsError, match="No space left on device"):
        scaffold.create(settings, "sale_extra")
    assert len(written) == 4
    assert list((settings.root / "odoo" / "addons").iterdir()) == []


def test_a_module_of_odoos_own_is_not_made_a_second_time(settings: Settings) -> None:
    for name in ("base", "web"):
        with pytest.raises(UsageError, match=f"Odoo has a module {name!r} of its own") as caught:
            scaffold.create(settings, name)
        assert f"{name}_extra" in caught.value.hint
    with pytest.raises(UsageError, match="'sale' of its own"):
        scaffold.create(settings, "sale", {"base", "sale"})
    assert list((settings.root / "odoo" / "addons").iterdir()) == []


def test_the_image_is_asked_for_the_names_of_odoos_modules(settings: Settings) -> None:
    shutil.copyfile(ROOT / "compose.yaml", settings.root / "compose.yaml")
    shutil.copyfile(ROOT / "compose.prod.yaml", settings.root / "compose.prod.yaml")
    runner, reporter = FakeRunner({"docker run": says('["base", "sale"]')}), FakeReporter()
    assert scaffold.brought(Stack(settings, runner), reporter) == {"base", "sale", "web"}
    assert reporter.said == []
    for answer in (says(code=125, stderr="No such image"), OpsError("docker is not installed")):
        runner.answers["docker run"] = answer
        assert scaffold.brought(Stack(settings, runner), reporter) == {"base", "web"}
        assert "not compared" in reporter.said.pop()
