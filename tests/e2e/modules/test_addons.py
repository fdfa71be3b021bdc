"""Modules of others: from PyPI by odoo/requirements.txt, and as a clone of a repository."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.support.checkout import Checkout
from tests.e2e.support.module_sandbox import ModuleSandbox

pytestmark = pytest.mark.xdist_group("addons")

_MANIFEST = '{"name": "N", "version": "1.0.0", "license": "LGPL-3", "author": "Tests"}\n'


@pytest.fixture(scope="module")
def extended(module_sandbox: ModuleSandbox) -> Iterator[Checkout]:
    """The platform with an image and modules of its own, and as it was in the end."""
    platform = module_sandbox.platform
    image = f"localhost/ipai-test/odoo-{platform.project}:1"
    extended = replace(platform, variables={**platform.variables, "ODOO_IMAGE": image})
    requirements = platform.root / "odoo" / "requirements.txt"
    before = requirements.read_text()
    repository = platform.root / "odoo" / "addons" / "some-repository"
    odd = repository.with_name("odd, name")
    module_sandbox.written.extend((repository, odd))
    for folder in (repository / "cloned_one", repository / "cloned_two", odd / "cloned_three"):
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "__manifest__.py").write_text(_MANIFEST)
    (repository / ".git").mkdir()
    # A module, and a library that is compiled for one Python and one machine.
    requirements.write_text(before + "odoo-addon-partner-firstname\nrapidfuzz==3.14.1\n")
    try:
        for command in ("images", "up"):
            done = extended.inv(command)
            assert done.returncode == 0, done.stderr
        yield extended
    finally:
        requirements.write_text(before)
        assert platform.inv("up").returncode == 0
        module_sandbox.clean()
        platform.run("docker", "image", "rm", image)


def test_a_module_of_pypi_is_found_and_installed(
    extended: Checkout, module_sandbox: ModuleSandbox
) -> None:
    done = module_sandbox.by_odoo("partner_firstname")
    assert module_sandbox.state("partner_firstname") == "installed", done.stderr[-3000:]
    assert extended.sql("SELECT count(firstname) >= 0 FROM res_partner") == "t"


def test_a_library_of_pypi_is_there_for_odoos_python(extended: Checkout) -> None:
    script = "import rapidfuzz; print(rapidfuzz.fuzz.ratio('odoo', 'odoo'))"
    done = extended.exec("odoo", "python3", "-c", script, user="odoo")
    assert done.stdout.strip() == "100.0", done.stderr


@pytest.mark.usefixtures("extended")
def test_modules_of_a_cloned_repository_are_found_and_installed(
    module_sandbox: ModuleSandbox,
) -> None:
    done = module_sandbox.by_odoo("cloned_one,cloned_two")
    for name in ("cloned_one", "cloned_two"):
        assert module_sandbox.state(name) == "installed", done.stderr[-3000:]


def test_where_each_comes_from_is_listed(extended: Checkout) -> None:
    done = extended.inv("module.list", "--json", "--all")
    assert done.returncode == 0, done.stderr
    source = {module["name"]: module["source"] for module in json.loads(done.stdout)}
    assert re.fullmatch(r"odoo-addon-partner[-_]firstname \d.*", source["partner_firstname"])
    assert source["cloned_one"] == "odoo/addons/some-repository"
    assert (source["session_redis"], source["crm"]) == ("odoo/addons", "odoo")


def test_a_repository_whose_name_odoo_could_not_take_is_named(extended: Checkout) -> None:
    log = extended.compose("logs", "--no-log-prefix", "odoo")
    assert "left out, rename it: /mnt/extra-addons/odd, name" in log.stdout + log.stderr


def test_the_image_is_built_anew_when_the_requirements_change_and_only_then(
    extended: Checkout,
) -> None:
    inspect = [
        "docker",
        "image",
        "inspect",
        "--format",
        "{{.Id}}",
        extended.variables["ODOO_IMAGE"],
    ]
    before = extended.run(*inspect).stdout
    assert extended.inv("images").returncode == 0
    assert extended.run(*inspect).stdout == before
    requirements = extended.root / "odoo" / "requirements.txt"
    requirements.write_text(requirements.read_text() + "# another line\n")
    assert extended.inv("images").returncode == 0
    assert extended.run(*inspect).stdout != before


def test_what_is_nowhere_fails_the_build_by_its_name_and_leaves_the_image(
    extended: Checkout,
) -> None:
    requirements = extended.root / "odoo" / "requirements.txt"
    before = requirements.read_text()
    requirements.write_text(before + "python-slugify==0.0.0.dev1\n")
    try:
        done = extended.inv("images")
    finally:
        requirements.write_text(before)
    assert done.returncode == 1
    assert "python-slugify==0.0.0.dev1" in done.stderr
    assert (
        extended.run("docker", "image", "inspect", extended.variables["ODOO_IMAGE"]).returncode == 0
    )
