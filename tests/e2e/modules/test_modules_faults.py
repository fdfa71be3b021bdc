"""What goes wrong with modules: it is said, and everything is as it was before."""

import pytest

from tests.e2e.support.module_sandbox import MODEL, PARTNER, ModuleSandbox

pytestmark = pytest.mark.xdist_group("modules_faults")

_VARIANT = pytest.mark.extended
BROKEN = PARTNER.format(field="nonsense", value="x")


@pytest.fixture
def shop(steady: ModuleSandbox) -> ModuleSandbox:
    """Not the one of other tests here, which changes."""
    return steady


@pytest.mark.parametrize(
    ("manifest", "reason", "hint"),
    [
        ({"depends": ["zz_nowhere"]}, "needs the module 'zz_nowhere'", "odoo/addons"),
        ({"external_dependencies": {"python": ["zz-nothing"]}}, "'zz-nothing'", "requirements"),
        pytest.param(
            {"external_dependencies": {"bin": ["zz-nothing"]}},
            "the program 'zz-nothing'",
            "",
            marks=_VARIANT,
        ),
        pytest.param(
            {"installable": False}, "cannot be installed", "__manifest__.py", marks=_VARIANT
        ),
        pytest.param(
            {"version": "17.0.1.0.0"},
            "cannot be installed",
            "names another version",
            marks=_VARIANT,
        ),
    ],
)
def test_what_cannot_be_installed_is_refused_before_anything_is_touched(
    shop: ModuleSandbox, manifest: dict[str, object], reason: str, hint: str
) -> None:
    shop.write("zz_one", {}, **manifest)
    said = shop.refused("module.install", "zz_one")
    assert reason in said and hint in said


def test_an_odd_manifest_hides_no_other_module(shop: ModuleSandbox) -> None:
    shop.write("zz_one", {}, external_dependencies=["x"])
    shop.write("zz_two", {}, external_dependencies={"python": None}, depends="base")
    (shop.write("zz_three", {}) / "__manifest__.py").write_text("{[]: 1}\n")
    assert {"zz_one", "zz_two", "zz_three", "base"} <= shop.modules().keys()
    assert "cannot be installed" in shop.refused("module.install", "zz_three")


@pytest.mark.parametrize(
    "name",
    ["x" * 63, pytest.param("x" * 51, marks=_VARIANT), "odoo__s1234567890"],
)
def test_a_database_that_is_called_like_a_copy_is_left_alone(
    shop: ModuleSandbox, name: str
) -> None:
    shop.platform.sql(f"CREATE DATABASE {name} OWNER odoo", "postgres")
    try:
        assert "cannot have snapshots" in shop.refused("module.prune", "--database", name)
        assert name in shop.databases()
    finally:
        shop.platform.sql(f"DROP DATABASE IF EXISTS {name}", "postgres")


def test_a_name_that_is_not_there_gets_a_suggestion(shop: ModuleSandbox) -> None:
    said = shop.refused("module.install", "sale_managment")
    assert "no module 'sale_managment'" in said and "Did you mean sale_management" in said
    assert "not installed" in shop.refused("module.update", "crm")
    assert "not installed" in shop.refused("module.uninstall", "crm")
    assert "does not work without base" in shop.refused("module.uninstall", "base")
    done = shop.platform.inv("module.install", "sale;drop")
    assert done.returncode == 2 and "not the name of a module" in done.stderr


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"__init__.py": "import nothing_like_it\n"}, "No module named 'nothing_like_it'"),
        # Of data: test_a_failure_in_the_middle_undoes_the_good_one_too.
        pytest.param({"__init__.py": "x = == 1\n"}, "SyntaxError", marks=_VARIANT),
        pytest.param({"data.xml": BROKEN}, "nonsense", marks=_VARIANT),
        pytest.param({"data.xml": "<odoo><record"}, "data.xml", marks=_VARIANT),
    ],
)
def test_a_broken_module_is_undone_and_the_reason_is_in_the_last_lines(
    shop: ModuleSandbox, files: dict[str, str], reason: str
) -> None:
    shop.write("zz_bad", files)
    said = shop.refused("module.install", "zz_bad")
    assert reason in "\n".join(said.splitlines()[-6:])
    assert "hint: What was there before is there again." in said


def test_a_failure_in_the_middle_undoes_the_good_one_too(shop: ModuleSandbox) -> None:
    shop.write("zz_good")
    shop.write("zz_later", {"data.xml": BROKEN}, depends=["zz_good"])
    said = shop.refused("module.install", "zz_good,zz_later")
    assert "nonsense" in "\n".join(said.splitlines()[-6:])
    assert shop.partners("zz_good") == 0


_FAILING = '<odoo><function model="res.partner" name="zz_fail"/></odoo>'


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"__init__.py": MODEL.format(name="two", value="b"), "data.xml": _FAILING}, "zz_fail"),
        pytest.param({"__init__.py": "1 / 0\n"}, "ZeroDivisionError", marks=_VARIANT),
    ],
    ids=["data", "code"],
)
def test_what_fails_on_an_update_only(
    module_sandbox: ModuleSandbox, files: dict[str, str], reason: str
) -> None:
    module_sandbox.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    module_sandbox.inv("module.install", "zz_one")
    module_sandbox.inv("module.prune", "--keep", "0")
    with module_sandbox.unharmed():
        module_sandbox.write("zz_one", files)
        assert reason in module_sandbox.refused("module.update")
    module_sandbox.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    module_sandbox.clean()


def test_somebody_who_does_not_leave_is_named(shop: ModuleSandbox) -> None:
    shop.write("zz_one")
    with shop.table_locked("res_partner", "SHARE"):
        said = shop.refused("module.install", "zz_one", "--max-lock-wait", "2")
    assert "psql (process" in said and "LOCK TABLE res_partner" in said
    assert "--max-lock-wait" in said


def test_a_lock_is_waited_for_and_its_holder_reported(shop: ModuleSandbox) -> None:
    shop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    with shop.table_locked("res_partner", "ACCESS SHARE"):
        words = ["zz_one", "--no-snapshot", "--max-lock-wait", "8"]
        said = shop.refused("module.install", *words)
    assert "waiting for a lock that is held by psql (process" in said
    assert "lock timeout" in said


def test_an_odoo_that_does_not_come_back_gets_its_database_back(
    module_sandbox: ModuleSandbox,
) -> None:
    module_sandbox.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    module_sandbox.inv("module.install", "zz_one")
    module_sandbox.inv("module.prune", "--keep", "0")
    before = module_sandbox.everything()
    served = "import sys\n\nif '--stop-after-init' not in sys.argv:\n    raise RuntimeError('zz')\n"
    module_sandbox.write("zz_one", {"__init__.py": served})
    said = module_sandbox.refused("module.update")
    assert "Odoo does not work" in said and "What was there before is there again" in said
    assert module_sandbox.everything()[0] == before[0]
    module_sandbox.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
    module_sandbox.inv("restart", "--service", "odoo")
    assert module_sandbox.platform.get("/web/login") == 200
    module_sandbox.clean()


def test_a_snapshot_that_finds_no_room_is_not_begun(shop: ModuleSandbox) -> None:
    shop.write("zz_one")
    data = "/var/lib/postgresql/data"
    free = f"$(df --output=avail -B1 {data} | tail -1)"
    as_server = ["exec", "-T", "--user", "postgres", "odoo_db", "sh", "-c"]
    fill = f"head -c $(({free} - 20000000)) /dev/zero >{data}/fill"
    assert shop.platform.compose(*as_server, fill).returncode == 0
    try:
        said = shop.refused("module.install", "zz_one")
    finally:
        shop.platform.compose(*as_server, f"rm {data}/fill")
    assert "PostgreSQL's volume has no room for a copy of 'odoo'" in said
    assert "inv module.prune" in said
