"""Modules are installed, updated, removed and tried, and one can always go back."""

import re
import threading
import time
from typing import Any

import pytest
import requests

from tests.e2e.support.module_sandbox import MODEL, PARTNER, ModuleSandbox
from tests.support.json_documentation import as_documented
from tests.support.waiting import eventually


def test_an_installed_module_is_listed_with_its_version_and_source(shop: ModuleSandbox) -> None:
    shop.write("zz_one", version="2.1.0")
    shop.write("zz_two", {}, depends=["zz_one"])
    said = shop.inv("module.install", "zz_two").stdout
    assert "Installed: zz_two" in said and "With them: zz_one" in said
    found = shop.modules()["zz_one"]
    assert found["state"] == "installed"
    assert re.fullmatch(r"\d+\.0\.2\.1\.0", found["installed"])
    assert (found["source"], found["changed"], found["missing"]) == ("odoo/addons", False, False)
    assert shop.partners("zz_one") == 1
    told = shop.inv("module.info", "zz_one").stdout
    assert "Needed by: zz_two" in told and "/mnt/extra-addons/zz_one" in told


def test_what_is_installed_and_unchanged_is_left_alone(shop: ModuleSandbox) -> None:
    folder = shop.write("zz_one")
    shop.inv("module.install", "zz_one")
    with shop.unharmed():
        # What no update reads is no change either.
        for name in ("static/src/a.js", "tests/test_a.py", "i18n/fr.po", "i18n/zz_one.pot"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text("")
        for command in (("module.install", "zz_one"), ("module.update",)):
            assert "There is nothing to do" in shop.inv(*command).stdout
        assert shop.inv("module.list", "--changed").stdout.count("\n") == 1


@pytest.mark.extended
def test_a_new_version_is_still_to_be_updated_after_a_rehearsal(shop: ModuleSandbox) -> None:
    """Where nobody has looked at the modules before: most of them are taken as they are."""
    shop.write("zz_one")
    shop.inv("module.install", "zz_one")
    shop.platform.sql("DELETE FROM ir_config_parameter WHERE key = 'ipai.modules.checksums'")
    shop.write("zz_one", version="1.0.1")
    assert "updating zz_one" in shop.inv("module.rehearse").stdout
    assert shop.modules("--changed").keys() == {"zz_one"}
    assert "Updated: zz_one" in shop.inv("module.update").stdout
    assert not shop.modules("--changed")


@pytest.mark.extended  # of the records, which tests/unit/toolbox/modules/test_plan.py tries
def test_what_was_installed_by_other_means_is_watched_from_the_next_update_on(
    shop: ModuleSandbox,
) -> None:
    shop.inv("module.update")
    shop.write("zz_one")
    assert shop.by_odoo("zz_one").returncode == 0
    with shop.unharmed():  # a rehearsal learns nothing: that would be a change
        assert "There is nothing to do" in shop.inv("module.rehearse").stdout
    assert "There is nothing to do" in shop.inv("module.update").stdout
    shop.write("zz_one", {"data.xml": PARTNER.format(field="name", value="zz_edited")})
    assert "Updated: zz_one" in shop.inv("module.update").stdout
    assert shop.partners("zz_edited") == 1


def test_changed_data_are_updated_and_seen_without_a_restart(shop: ModuleSandbox) -> None:
    shop.write("zz_one")
    shop.write("zz_two", {}, depends=["zz_one"])
    shop.inv("module.install", "zz_two")
    before = shop.platform.inspect("odoo")["State"]["StartedAt"]
    shop.write("zz_one", {"data.xml": PARTNER.format(field="name", value="renamed")})
    assert shop.modules("--changed").keys() == {"zz_one"}
    done = as_documented("module.update", shop.inv("module.update", "--json").stdout)
    assert (done["plan"]["update"], done["plan"]["besides"]) == (["zz_one"], ["zz_two"])
    assert done["restarted"] is False
    assert shop.platform.inspect("odoo")["State"]["StartedAt"] == before
    found = shop.call("res.partner", "search_count", [["name", "=", "renamed"]])
    assert found == 1
    assert not shop.modules("--changed")


def test_changed_code_restarts_odoo_behind_a_page_that_says_so(shop: ModuleSandbox) -> None:
    model = {"__init__.py": MODEL.format(name="one", value="a")}
    shop.write("zz_one", model)
    shop.inv("module.install", "zz_one")
    before = shop.platform.inspect("odoo")["State"]["StartedAt"]
    shop.write("zz_one", {"__init__.py": MODEL.format(name="more", value="b")})
    seen: list[tuple[int, str | None]] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.wait(0.1):
            answer = requests.get(f"{shop.platform.url}/web/login", timeout=60)
            seen.append((answer.status_code, answer.headers.get("Retry-After")))

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        said = shop.inv("module.update").stdout
    finally:
        stop.set()
        visitor.join()
    assert "Odoo was restarted" in said
    assert shop.platform.inspect("odoo")["State"]["StartedAt"] != before
    assert {status for status, _ in seen} == {200, 503}
    assert {retry for status, retry in seen if status == 503} == {"5"}
    assert shop.platform.get("/web/login") == 200
    assert "zz_more" in shop.call("res.partner", "fields_get", ["zz_more"])


def test_a_removed_module_takes_what_builds_on_it_and_comes_back(shop: ModuleSandbox) -> None:
    shop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="precious")})
    shop.write("zz_two", depends=["zz_one"])
    shop.inv("module.install", "zz_two")
    values = "SELECT count(*) FROM res_partner WHERE zz_one = 'precious'"
    held, before = shop.platform.sql(values), shop.everything()
    assert int(held) > 0
    with shop.unharmed():
        assert "nothing was removed" in shop.refused("module.uninstall", "zz_one")
    said = shop.inv("module.uninstall", "zz_one", "--yes").stdout
    assert "With them: zz_two" in said
    assert (shop.state("zz_one"), shop.state("zz_two")) == ("uninstalled", "uninstalled")
    assert "zz_one" not in shop.call("res.partner", "fields_get")
    name = re.search(r"module\.rollback (s\d+)", said)
    assert name, said
    assert "nothing was changed" in shop.refused("module.rollback", name[1])
    shop.inv("module.rollback", name[1], "--yes")
    after = shop.everything()
    assert after[0] == before[0]
    assert "zz_one" in shop.call("res.partner", "fields_get")
    # What was there in between is a snapshot now, to which one can go back in turn.
    as_documented("module.rollback", shop.inv("module.rollback", "--yes", "--json").stdout)
    assert shop.state("zz_one") == "uninstalled"


def test_settings_and_comment_of_the_database_go_the_way_and_back(shop: ModuleSandbox) -> None:
    """Neither is copied by PostgreSQL, nor is a permission."""
    for statement in (
        "ALTER DATABASE odoo SET work_mem = '9MB'",
        "COMMENT ON DATABASE odoo IS 'the books'",
        "REVOKE TEMPORARY ON DATABASE odoo FROM PUBLIC",
    ):
        shop.platform.sql(statement, "postgres")
    look = (
        "SELECT shobj_description(d.oid, 'pg_database'), setconfig, array(SELECT a::text FROM"
        " unnest(datacl) a ORDER BY 1) FROM pg_database d JOIN pg_db_role_setting ON setdatabase"
        " = d.oid WHERE datname = 'odoo'"
    )
    before = shop.platform.sql(look, "postgres")
    assert "the books" in before and "work_mem=9MB" in before
    shop.write("zz_one")
    shop.write("zz_broken", {"__init__.py": "1/0"})
    shop.inv("module.install", "zz_one")
    shop.refused("module.install", "zz_broken")  # which is undone
    assert shop.platform.sql(look, "postgres") == before
    for _ in range(2):  # to before, and to after it
        shop.inv("module.rollback", "--yes")
        assert shop.platform.sql(look, "postgres") == before


def _snapshots(shop: ModuleSandbox) -> list[dict[str, Any]]:
    printed = shop.inv("module.snapshots", "--json").stdout
    found: list[dict[str, Any]] = as_documented("module.snapshots", printed)
    return found


def test_snapshots_are_listed_and_forgotten(shop: ModuleSandbox) -> None:
    for name in ("zz_one", "zz_two"):
        shop.write(name)
        as_documented("module.install", shop.inv("module.install", name, "--json").stdout)
    found = _snapshots(shop)
    assert [s["doing"] for s in found[-2:]] == ["install zz_one", "install zz_two"]
    assert {s["state"] for s in found} == {"closed"}
    pruned = shop.inv("module.prune", "--keep", "1", "--json").stdout
    as_documented("module.prune", pruned)
    left = _snapshots(shop)
    assert [s["name"] for s in left] == [found[-1]["name"]]
    assert {name for name in shop.databases() if "__" in name} == {found[-1]["name"]}
    assert not [f for f in shop.all_files() if found[0]["name"] in f]


def test_a_rehearsal_tells_what_would_happen_and_changes_nothing(shop: ModuleSandbox) -> None:
    pause = "\n    def zz_wait(self):\n        time.sleep(1)\n"
    model = "import time\n\n" + MODEL.format(name="one", value="a") + pause
    wait = '<odoo><function model="res.partner" name="zz_wait" eval="[[]]"/></odoo>'
    shop.write("zz_one", {"__init__.py": model, "data.xml": wait})
    shop.write("zz_bad", {"data.xml": PARTNER.format(field="nonsense", value="x")})
    with shop.unharmed():
        said = shop.inv("module.rehearse", "--install", "zz_one").stdout
        assert re.search(r"It works: installing zz_one took [\d.]+ s", said)
        assert "res_partner" in said  # which a new column locks
        errors = shop.refused("module.rehearse", "--install", "zz_bad")
        assert "nonsense" in errors and "nothing was changed" in errors


def test_a_new_module_passes_its_own_tests_and_fails_them_where_it_is_wrong(
    shop: ModuleSandbox,
) -> None:
    shop.inv("module.new", "zz_new")
    folder = shop.platform.root / "odoo" / "addons" / "zz_new"
    shop.written.append(folder)
    model = folder / "models" / "zz_new.py"
    right = model.read_text()
    with shop.unharmed():
        said = shop.inv("module.test", "zz_new").stdout
        assert re.search(r"0 failed, 0 error\(s\) of [1-9]\d* tests", said)
        model.write_text(right.replace("record.quantity * record.price", "record.price"))
        said = shop.refused("module.test", "zz_new")
        assert "FAIL: TestZzNew.test_the_total_follows_quantity_and_price" in said
        shop.write("zz_none", {})
        assert "has no tests" in shop.refused("module.test", "zz_none")


def test_another_database_is_changed_while_the_platform_serves_its_own(shop: ModuleSandbox) -> None:
    shop.platform.copy_database("staging")
    try:
        shop.write("zz_one", {"__init__.py": MODEL.format(name="one", value="a")})
        shop.inv("module.install", "zz_one", "--database", "staging")
        assert shop.state("zz_one", "staging") == "installed" != shop.state("zz_one")
        assert shop.modules("--database", "staging")["zz_one"]["state"] == "installed"
        shop.inv("module.prune", "--keep", "0", "--database", "staging")
    finally:
        shop.platform.sql("DROP DATABASE staging WITH (FORCE)", "postgres")
    assert "no database 'nowhere'" in shop.refused("module.list", "--database", "nowhere")


def test_a_module_that_is_gone_from_disk_is_said_to_be(shop: ModuleSandbox) -> None:
    folder = shop.write("zz_one")
    shop.inv("module.install", "zz_one")
    aside = folder.rename(folder.with_name(".zz_one"))
    try:
        assert shop.modules("--missing").keys() == {"zz_one"}
        assert "installed, but not on disk: zz_one" in shop.inv("module.update").stderr
    finally:
        aside.rename(folder)


# A connection that was ended between Odoo's pool and its first query showed once in ten.
@pytest.mark.parametrize("rehearsals", [1, pytest.param(32, marks=pytest.mark.soak)])
def test_visitors_wait_for_a_snapshot_and_see_no_error(
    shop: ModuleSandbox, rehearsals: int
) -> None:
    """Where nobody is kept out, as at a rehearsal."""
    shop.write("zz_one")
    seen: list[int] = []
    stop = threading.Event()

    def visit() -> None:
        while not stop.wait(0.05):
            url = f"http://localhost:{shop.platform.odoo_port}/web/login"
            seen.append(requests.get(url, timeout=60).status_code)

    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    time.sleep(1)
    try:
        for _ in range(rehearsals):
            shop.inv("module.rehearse", "--install", "zz_one")
        assert eventually(lambda: len(seen) > 20, 30)
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join()
    assert set(seen) == {200}
