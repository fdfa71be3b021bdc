from dataclasses import replace
from pathlib import Path

import pytest

from scripts.core.errors import OpsError, UsageError
from scripts.core.settings import ROOT, Environment, ImageSource, Settings
from scripts.stack import debian, image_names, image_sources, images
from scripts.stack.compose import Stack
from tests.unit.support.fakes import FakeReporter, FakeRunner, says, settings_in
from tests.unit.support.images import (
    LABEL,
    NO_ROUTE,
    builder,
    built_with_docker,
    engine_with_debian,
)

_NOT_FOUND = says(code=1, stderr="manifest for redis:7.4.11-bookworm not found: manifest unknown")


def test_every_official_image_has_its_default_in_the_compose_files(root: Path) -> None:
    also = {
        image_names.CERTBOT,
        image_names.BACKUP,
        image_names.POSTGREST,
        image_names.MAIL_CATCHER,
        *image_names.MONITORING,
        "BACKUP_IMAGE",
        "ODOO_IMAGE",
    }
    assert set(image_names.official(root)) == {*image_names.PULLED, *also}


def test_a_missing_compose_file_is_named(root: Path) -> None:
    (root / "compose.prod.yaml").unlink()
    with pytest.raises(OpsError, match=r"compose\.prod\.yaml is missing"):
        image_names.official(root)


def test_without_a_registry_auto_turns_to_debian_and_remembers_it(root: Path) -> None:
    runner, reporter = engine_with_debian(root, NO_ROUTE), FakeReporter()
    used = images.ensure(Stack(settings_in(root), runner), reporter)
    assert used == {**image_names.official(root), **debian.VARIABLES}
    stored = (root / ".env").read_text().splitlines()
    assert stored == [f"{name}={value}" for name, value in debian.VARIABLES.items()]
    assert any("no container registry answers" in said for said in reporter.said)
    pulls = [argv for argv in runner.calls if argv[:2] == ["docker", "pull"]]
    assert len(pulls) == 1  # one refusal tells enough


def test_an_existing_database_keeps_auto_from_turning_to_another_odoo(root: Path) -> None:
    settings = settings_in(root)
    runner = engine_with_debian(root, NO_ROUTE)
    runner.answers["docker volume ls"] = says(f"{settings.project}_odoo_db_data\n")
    with pytest.raises(image_sources.NoRegistryError):
        images.ensure(Stack(settings, runner), FakeReporter())
    assert not (root / ".env").exists()


def test_a_registry_that_times_out_over_a_manifest_is_not_a_wrong_name(root: Path) -> None:
    timeout = 'Get "/v2/library/redis/manifests/7": net/http: TLS handshake timeout'
    runner = engine_with_debian(root, says(code=1, stderr=timeout))
    used = images.ensure(Stack(settings_in(root), runner), FakeReporter())
    assert used == {**image_names.official(root), **debian.VARIABLES}


@pytest.mark.parametrize("source", [ImageSource.AUTO, ImageSource.REGISTRY])
def test_an_image_that_does_not_exist_is_an_error_naming_it(
    root: Path, source: ImageSource
) -> None:
    runner = engine_with_debian(root, _NOT_FOUND)
    with pytest.raises(OpsError) as caught:
        images.ensure(Stack(settings_in(root, image_source=source), runner), FakeReporter())
    assert "cannot pull redis:7.4.11-bookworm" in caught.value.message
    assert "name or tag" in caught.value.hint
    assert not (root / ".env").exists()


def test_a_mistyped_name_whose_message_has_the_letters_eof_does_not_turn_to_debian(
    root: Path,
) -> None:
    wrong = {"REDIS_IMAGE": "geoffrey/redis:7"}
    answer = says(code=1, stderr="manifest for geoffrey/redis:7 not found: manifest unknown")
    runner = engine_with_debian(root, answer)
    with pytest.raises(OpsError, match="cannot pull geoffrey/redis:7"):
        images.ensure(Stack(settings_in(root, images=wrong), runner), FakeReporter())


def test_a_refused_login_does_not_turn_to_debian(root: Path) -> None:
    runner = engine_with_debian(
        root, says(code=1, stderr="pull access denied: requires 'docker login'")
    )
    with pytest.raises(OpsError, match="access denied"):
        images.ensure(Stack(settings_in(root), runner), FakeReporter())


def test_registry_never_turns_to_debian(root: Path) -> None:
    runner = engine_with_debian(root, NO_ROUTE)
    settings = settings_in(root, image_source=ImageSource.REGISTRY)
    with pytest.raises(OpsError, match="no container registry answers") as caught:
        images.ensure(Stack(settings, runner), FakeReporter())
    assert "IMAGE_SOURCE=debian" in caught.value.hint
    assert not (root / ".env").exists()


def test_registry_takes_back_an_earlier_turn_to_debian(root: Path) -> None:
    runner = engine_with_debian(root, says())
    settings = settings_in(root, image_source=ImageSource.REGISTRY, images=dict(debian.VARIABLES))
    assert images.ensure(Stack(settings, runner), FakeReporter()) == image_names.official(root)
    assert f"REDIS_IMAGE={image_names.official(root)['REDIS_IMAGE']}" in (root / ".env").read_text()


def test_debian_never_asks_a_registry(root: Path) -> None:
    runner = engine_with_debian(root, says())
    settings = settings_in(root, image_source=ImageSource.DEBIAN)
    images.ensure(Stack(settings, runner), FakeReporter())
    assert not runner.ran("docker pull")


def test_after_a_turn_to_debian_auto_stays_there(root: Path) -> None:
    runner = engine_with_debian(root, says())
    images.ensure(Stack(settings_in(root, images=dict(debian.VARIABLES)), runner), FakeReporter())
    assert not runner.ran("docker pull")


def test_a_start_does_without_certbot_unless_it_is_asked_for_by_name(root: Path) -> None:
    runner = engine_with_debian(root, says())
    stack = Stack(settings_in(root, environment=Environment.PROD), runner)
    certbot = image_names.official(root)[image_names.CERTBOT]
    place = root / "images" / "backup" / "Dockerfile"  # of what archives in production
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes((ROOT / "images" / "backup" / "Dockerfile").read_bytes())
    images.ensure(stack, FakeReporter())
    assert runner.ran("docker pull")
    assert not runner.ran(f"docker pull --quiet {certbot}")
    images.ensure(stack, FakeReporter(), image_names.CERTBOT)
    assert runner.ran(f"docker pull --quiet {certbot}")


def test_a_start_brings_the_images_of_monitoring_where_that_is_wanted_only(root: Path) -> None:
    runner, settings = engine_with_debian(root, says()), settings_in(root)
    official = {image_names.official(root)[name] for name in image_names.MONITORING}
    for wanted in (False, True):
        runner.calls.clear()
        asked = replace(settings, monitoring=replace(settings.monitoring, wanted=wanted))
        images.ensure(Stack(asked, runner), FakeReporter())
        pulled = {argv[-1] for argv in runner.calls if argv[:2] == ["docker", "pull"]}
        assert pulled & official == (official if wanted else set())


def test_all_images_of_monitoring_are_built_as_one(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    runner, settings = engine_with_debian(root, NO_ROUTE), settings_in(root)
    wanted = replace(settings, monitoring=replace(settings.monitoring, wanted=True))
    used = images.ensure(Stack(wanted, runner), FakeReporter())
    assert {used[name] for name in image_names.MONITORING} == {debian.MONITORING}
    assert built_with_docker(runner).count(debian.MONITORING) == 1


@pytest.mark.parametrize(
    ("also", "built"),
    [([], []), ([image_names.CERTBOT], [debian.CERTBOT])],
    ids=["start", "certbot"],
)
def test_certbot_is_built_alone_when_it_is_wanted_after_the_rest(
    root: Path, monkeypatch: pytest.MonkeyPatch, also: list[str], built: list[str]
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    runner = engine_with_debian(root, NO_ROUTE)
    del runner.answers[LABEL + debian.CERTBOT]
    stored = {name: tag for name, tag in debian.VARIABLES.items() if name != "CERTBOT_IMAGE"}
    used = images.ensure(Stack(settings_in(root, images=stored), runner), FakeReporter(), *also)
    assert used["CERTBOT_IMAGE"] == debian.CERTBOT
    assert built_with_docker(runner) == [*built, debian.VARIABLES["ODOO_IMAGE"]]
    assert not runner.ran("docker pull")


def test_images_that_are_there_are_not_pulled_again(root: Path) -> None:
    runner = engine_with_debian(root, NO_ROUTE)
    runner.answers["docker image inspect --format {{.Id}}"] = says("sha256:1\n")
    images.ensure(Stack(settings_in(root), runner), FakeReporter())
    assert not runner.ran("docker pull")


def test_the_platform_image_is_built_once_for_each_state_of_its_sources(root: Path) -> None:
    runner = engine_with_debian(root, says())
    stack = Stack(settings_in(root), runner)
    images.ensure(stack, FakeReporter())
    (build,) = [argv for argv in runner.calls if argv[:2] == ["docker", "build"]]
    assert build[-1] == str(root / "odoo")
    tag = image_names.official(root)["ODOO_IMAGE"]
    source = next(word for word in build if word.startswith("ipai.source=")).partition("=")[2]
    runner.answers[LABEL + tag] = says(source + "\n")
    runner.calls.clear()
    images.ensure(stack, FakeReporter())
    assert not runner.ran("docker build")
    for changed in ("bin/odoo", "requirements.txt"):
        (root / "odoo" / changed).write_text("# changed\n")
        runner.calls.clear()
        images.ensure(stack, FakeReporter())
        assert runner.ran("docker build"), changed


def test_what_odoo_requires_from_pypi_is_fetched_before_the_build(root: Path) -> None:
    (root / "odoo" / "requirements.txt").write_text("odoo-addon-a\n")
    runner = engine_with_debian(root, says())
    runner.answers["docker run"] = says('["18.0", "3.12", "x86_64", 39]')
    (root / "odoo" / "wheels").mkdir()
    images.ensure(Stack(settings_in(root), runner), FakeReporter())
    order = ["download" if "download" in argv else argv[1] for argv in runner.calls]
    assert order.index("run") < order.index("download") < order.index("build")
    base = image_names.official(root)["ODOO_BASE_IMAGE"]
    assert base in next(argv for argv in runner.calls if argv[:2] == ["docker", "run"])


def test_a_failed_build_shows_the_end_of_its_log(root: Path) -> None:
    runner = engine_with_debian(root, says())
    runner.answers["docker build"] = says(code=1, stderr="step 3 went wrong\n")
    with pytest.raises(OpsError, match="step 3 went wrong") as caught:
        images.ensure(Stack(settings_in(root), runner), FakeReporter())
    assert caught.value.hint.startswith("All of it: ")


def test_a_changed_parent_changes_the_digest_of_its_children(root: Path) -> None:
    before = {tag: builder(root).source(tag) for tag in (debian.BASE, debian.REDIS, debian.ODOO)}
    (root / "images" / "postgres" / "Dockerfile").write_text("FROM changed\n")
    after = {tag: builder(root).source(tag) for tag in before}
    assert after[debian.REDIS] == before[debian.REDIS]
    assert after[debian.ODOO] != before[debian.ODOO]
    (root / "images" / "base" / "Dockerfile").write_text("FROM changed\n")
    assert builder(root).source(debian.REDIS) != before[debian.REDIS]


def test_the_listing_shows_which_images_are_missing(root: Path) -> None:
    runner = FakeRunner(
        {
            "docker image inspect": says(code=1),
            "docker image inspect --format {{.Id}} redis": says("sha256:0123456789abcdef\n"),
        }
    )
    rows = {row[0]: row[2] for row in images.in_use(Stack(settings_in(root), runner))}
    assert rows["REDIS_IMAGE"] == "0123456789ab"
    assert rows["NGINX_IMAGE"] == ""


def test_two_installations_have_images_of_their_own(root: Path) -> None:
    runner = engine_with_debian(root, NO_ROUTE)
    second = replace(settings_in(root), project="second")
    used = images.ensure(Stack(second, runner), FakeReporter())
    assert used["ODOO_IMAGE"] == "localhost/second/odoo:19.0"
    assert used["BACKUP_IMAGE"] == "localhost/second/backup:16"
    assert used["POSTGRES_IMAGE"] == debian.POSTGRES  # the same for all, and shared
    assert built_with_docker(runner) == ["localhost/second/odoo:19.0"]
    assert image_names.effective(second)["ODOO_IMAGE"] == "localhost/second/odoo:18.0"


def test_an_image_that_the_settings_name_is_kept(root: Path) -> None:
    mine = {"ODOO_IMAGE": "localhost/shared/odoo:19.0", "BACKUP_IMAGE": "localhost/shared/backup:1"}
    settings = settings_in(root, image_source=ImageSource.DEBIAN, images=mine)
    used = images.ensure(Stack(settings, engine_with_debian(root, NO_ROUTE)), FakeReporter())
    assert {name: used[name] for name in mine} == mine
    assert "shared" not in (root / ".env").read_text()


def test_a_project_whose_name_no_image_may_have_is_a_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ends-", "ends_", "three___lines", "mixed-_lines"):
        monkeypatch.setenv("COMPOSE_PROJECT_NAME", name)
        with pytest.raises(UsageError, match="COMPOSE_PROJECT_NAME"):
            Settings.load(tmp_path)
