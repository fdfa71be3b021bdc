"""What capacity.py makes of an arrangement, and of what it is asked."""

import json
from dataclasses import replace
from pathlib import Path

import capacity
import pytest
from simulation import Arrangement, Demand, Kind, Outcome

from tests.conftest import ROOT

CALL = Kind("call", 1.0, odoo=0.05, postgres=0.01, queries=5)
FINE = Outcome(0.1, 0.2, 0.1, 10, 10, 0.3, 0.3, 0.1, 0.0, 4, 0)


def _people(number: float) -> Demand:
    return Demand((CALL,), people=round(number), think=5.0)


def test_the_measured_times_have_what_the_mix_asks_for() -> None:
    times = capacity.read_times(ROOT / "benchmarks" / "service_times.json")
    assert {*capacity.SHARES, *capacity.SHOP, "picture", "websocket", "login page"} <= set(times)
    assert sum(capacity.SHARES.values()) == sum(capacity.SHOP.values()) == 100
    for kind in times.values():
        assert 0 <= kind.postgres < kind.odoo + kind.nginx < 5, kind


def test_heavier_requests_cost_so_many_times_as_much_but_for_nginx_and_websockets() -> None:
    path = ROOT / "benchmarks" / "service_times.json"
    plain, heavy = (capacity.read_times(path, times) for times in (1.0, 3.0))
    for name, kind in plain.items():
        times = 1 if name == "websocket" else 3
        assert heavy[name].odoo == pytest.approx(times * kind.odoo)
        assert heavy[name].postgres == pytest.approx(times * kind.postgres)
        assert heavy[name].nginx == kind.nginx


def test_people_it_takes_are_near_the_bound_where_cores_are_the_limit() -> None:
    arrangement = Arrangement(8, 2, 1)
    takes, outcome, limit = capacity.most(arrangement, _people, 2000, 1)
    assert takes == int(takes)
    assert limit == "cores of Odoo"
    assert 0.8 * capacity.bound(arrangement, _people(1)) < takes
    assert takes < 1.1 * capacity.bound(arrangement, _people(1))
    assert max(capacity.loads(outcome).values()) <= 1


def test_what_takes_nobody_takes_zero() -> None:
    slow = replace(CALL, odoo=3.0)
    takes, _, limit = capacity.most(
        Arrangement(4, 2), lambda n: Demand((slow,), people=round(n), think=5.0), 500, 1
    )
    assert (takes, limit) == (0, "response")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"p95": 1.2}, "response"),
        ({"workers": 0.8}, "workers"),
        ({"cores": 0.8}, "cores of Odoo"),
        ({"db_cores": 0.8}, "cores of PostgreSQL"),
        ({"websockets": 0.8}, "websockets"),
        ({"refused": 1}, "connections"),
    ],
)
def test_each_part_can_be_the_limit(change: dict[str, float], part: str) -> None:
    assert max(capacity.loads(FINE).values()) <= 1
    near = capacity.loads(replace(FINE, **change))  # type: ignore[arg-type]
    assert near[part] > 1
    assert sum(load > 1 for load in near.values()) == 1


def test_a_cdn_takes_its_share_of_pictures_only() -> None:
    times = {name: replace(CALL, name=name) for name in (*capacity.SHOP, "picture")}
    without, with_one = (capacity.shop(times, 2.0, hits) for hits in (0.0, 0.9))
    assert without.beside[0][1] == capacity.PICTURES
    assert with_one.beside[0][1] == pytest.approx(capacity.PICTURES / 10)
    assert without.kinds == with_one.kinds


def test_ones_own_figures_are_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {"odoo": 0.05, "postgres": 0.01, "nginx": 0.001, "queries": 5}
    times = tmp_path / "times.json"
    times.write_text(json.dumps(dict.fromkeys(("read", "create"), costs)))
    asked = ["capacity.py", "--people", "20", "--think", "5", "--workers", "4", "--cores", "2",
             "--db-cores", "1", "--calls", "2", "--clicks", "1000",
             "--times", str(times)]  # fmt: skip
    monkeypatch.setattr("sys.argv", [*asked, "--json"])
    capacity.main()
    found = json.loads(capsys.readouterr().out)
    assert found["rate"] == pytest.approx(2 * found["clicks"], rel=0.02)
    assert found["clicks"] == pytest.approx(20 / (5 + 2 * found["mean"]), rel=0.1)
    monkeypatch.setattr("sys.argv", asked)
    capacity.main()
    head, line = capsys.readouterr().out.splitlines()
    assert len(head.split()) >= len(line.split()) == 8


@pytest.mark.parametrize("wrong", [["--workers", "0"], ["--hits", "2"], ["--clicks", "5"]])
def test_wrong_figures_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        capacity.arguments(wrong)


def test_the_validation_compares_each_measurement() -> None:
    times = {"login page": Kind("login page", 1.0, odoo=0.02, postgres=0.004, nginx=0.001)}
    rows = capacity.validation(times, capacity.arguments(["--clicks", "1000"]))
    assert [row["arrangement"] for row in rows] == list(capacity.MEASURED)
    for row in rows:
        assert row["simulated"] == pytest.approx(2 / 0.025, rel=0.1)
