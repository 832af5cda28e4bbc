"""Every name against a figure that is computed by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nas.own_function import own_function
from nas.quantities import NAMES, Quantity, get, plain, upper
from nas.search import SearchError, minimize
from search_spaces.errors import ArtefactError, ConfigError
from tests.nas.made_tables import START_MS, made_up_table
from tests.nas.tiny import tiny

SPACE = tiny()
X = SPACE.sample(30, np.random.default_rng(0))


def macs(rows: np.ndarray) -> np.ndarray:
    """By walking the plans."""
    plans = [SPACE.lower_row(row) for row in rows]
    return np.array([sum(node.spec.macs for node in plan.nodes) for plan in plans], dtype=float)


def parameters(rows: np.ndarray) -> np.ndarray:
    plans = [SPACE.lower_row(row) for row in rows]
    return np.array([sum(node.spec.params for node in plan.nodes) for plan in plans], dtype=float)


def values(name: str, **known: Any) -> np.ndarray:
    return np.asarray(get(name, SPACE, **known).function(X))


def test_what_follows_from_the_space_alone() -> None:
    assert values("macs").tolist() == macs(X).tolist()
    assert values("parameters").tolist() == parameters(X).tolist()
    assert values("model_mb") == pytest.approx(4e-6 * parameters(X))
    assert {get(name, SPACE).basis for name in ("macs", "parameters", "model_mb")} == {"counted"}


def test_whose_latency_it_is() -> None:
    tables = {"pi4": made_up_table(SPACE, 1e6), "pixel": made_up_table(SPACE, 4e6)}
    here = made_up_table(SPACE, 2e6)
    for name, per_ms in (("latency", 2e6), ("latency@pi4", 1e6), ("latency@pixel", 4e6)):
        one = get(name, SPACE, table=here, tables=tables)
        assert np.asarray(one.function(X)) == pytest.approx(START_MS + macs(X) / per_ms)
        assert (one.name, one.unit, one.basis) == (name, "ms", "predicted")


def test_costs_of_a_table() -> None:
    table = made_up_table(SPACE, costs=("energy_mj",))
    expected = 1 + 2 * 4e-6 * parameters(X) + 5 * macs(X) / 1e9
    assert values("energy_mj", table=table) == pytest.approx(expected)
    assert values("energy_mj@pi4", tables={"pi4": table}) == pytest.approx(expected)
    with pytest.raises(
        ArtefactError, match=r"^peak_memory_mb@pi4: the latency table has energy_mj, no peak"
    ):
        get("peak_memory_mb@pi4", SPACE, tables={"pi4": table})
    with pytest.raises(ArtefactError, match="^energy_mj: .* neither memory nor energy"):
        get("energy_mj", SPACE, table=made_up_table(SPACE))


def test_accuracy_is_minimised_as_an_error_and_limited_from_below() -> None:
    predictor: Any = SimpleNamespace(predict=lambda rows: macs(rows) / 1e4)
    one = get("accuracy", SPACE, predictor=predictor)
    assert np.asarray(one.function(X)) == pytest.approx(100 - macs(X) / 1e4)
    assert one.minimised(X) == pytest.approx(macs(X) / 1e4)
    assert one.turned(70.0) == 30.0 and one.turned(one.turned(12.5)) == 12.5


def test_an_upper_end_is_so_many_deviations_above() -> None:
    table = made_up_table(SPACE, 1e6, std=0.05)
    one = get("latency", SPACE, table=table)
    mean, std = table.predict(X, return_std=True)
    assert (std > 0).all()
    assert np.asarray(upper(one, 2.0)(X)) == pytest.approx(mean + 2 * std)
    assert np.asarray(upper(one, 0.0)(X)) == pytest.approx(mean)
    assert np.asarray(upper(get("macs", SPACE), 2.0)(X)) == pytest.approx(macs(X))


def test_a_search_by_names_and_by_a_function_of_ones_own() -> None:
    tables = {name: made_up_table(SPACE, per) for name, per in (("pi4", 1e6), ("pixel", 3e6))}
    price = Quantity("price", lambda rows: rows.sum(axis=1), "EUR")
    asked = [get(name, SPACE, tables=tables) for name in ("latency@pi4", "latency@pixel")]
    limits = {"latency@pixel": 0.1, "price": 5.0}
    study = minimize(
        SPACE,
        {"error": lambda rows: -macs(rows), asked[0].name: asked[0].minimised},
        limits,
        budget=120,
        functions={one.name: one.minimised for one in (asked[1], price)},
    )
    front = study.front()
    assert front
    for one in front:
        row = np.array([one.row])
        assert START_MS + macs(row)[0] / 3e6 <= 0.1 and sum(one.row) <= 5
        assert one.constraints == pytest.approx(
            {"latency@pixel": START_MS + macs(row)[0] / 3e6, "price": sum(one.row)}
        )


@pytest.mark.parametrize("name", ["flops", "macs@pi4", "latencies", "accuracy@pi4", ""])
def test_names_that_mean_nothing(name: str) -> None:
    with pytest.raises(SearchError, match=f"no quantity '{name}'; there are {', '.join(NAMES)}"):
        get(name, SPACE, tables={"pi4": made_up_table(SPACE)})


def test_tables_and_predictors_that_are_wanted() -> None:
    tables = {"pi4": made_up_table(SPACE)}
    for name, tabled, said in (
        ("latency", tables, "latency is told by a latency table: say whose, such as latency@pi4"),
        ("latency@pi5", tables, r"no latency table 'pi5'; there are pi4; did you mean 'pi4'\?"),
        ("latency@pi5", {}, "there is no latency table of the name 'pi5', nor any other"),
        ("accuracy", tables, "accuracy is known by a predictor of the error; none was given"),
    ):
        with pytest.raises(SearchError, match=said):
            get(name, SPACE, tables=tabled)


def test_numbers_are_plain() -> None:
    shown = [plain(value) for value in (3e8, 0.0925, 1 / 3, 12, 123456789.0, -2.5)]
    assert shown == ["300000000", "0.0925", "0.333333", "12", "123457000", "-2.5"]
    assert get("macs", SPACE).said(5e6) == "5000000"
    assert Quantity("a", lambda rows: rows[:, 0], "ms").said(1.5) == "1.5 ms"


# Functions of the user's


def written(folder: Path, code: str) -> str:
    (folder / "mine.py").write_text(code)
    return str(folder / "mine.py")


def test_a_function_in_a_file(tmp_path: Path) -> None:
    file = written(tmp_path, "def price(space, rows):\n    return 2 * space.macs(rows)\n")
    one, identity = own_function(f"{file}:price", SPACE)
    assert np.asarray(one.function(X)).tolist() == (2 * macs(X)).tolist()
    assert (one.name, one.basis) == ("price", "computed")
    written(tmp_path, "def price(space, rows):\n    return 3 * space.macs(rows)\n")
    again, other = own_function(f"{file}:price", SPACE)
    assert identity != other, "a study that went by the old code is another's"
    assert np.asarray(again.function(X)).tolist() == (3 * macs(X)).tolist()


def test_a_function_in_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pack_of_mine").mkdir()
    code = "def depth(space, rows):\n    return rows.sum(axis=1)\n"
    (tmp_path / "pack_of_mine" / "costs.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    one, _ = own_function("pack_of_mine.costs:depth", SPACE)
    assert np.asarray(one.function(X)).tolist() == X.sum(axis=1).tolist()


def test_some_networks_may_be_beyond_a_function(tmp_path: Path) -> None:
    code = (
        "def picky(space, rows):\n"
        "    if rows[:, 0].any():\n        raise ValueError('only small images')\n"
        "    return rows.sum(axis=1)\n"
    )
    assert own_function(f"{written(tmp_path, code)}:picky", SPACE)[0].name == "picky"


@pytest.mark.parametrize(
    ("code", "name", "said"),
    [
        ("x = 1\n", "price", "has no function 'price'"),
        ("price = 3\n", "price", "has no function 'price'"),
        ("def price(:\n", "price", "cannot be loaded: SyntaxError"),
        ("import nowhere_at_all\n", "price", "cannot be loaded: ModuleNotFoundError"),
        ("def price(rows):\n    return rows\n", "price", "no number .*TypeError"),
        ("def price(space, rows):\n    return 1.0\n", "price", r"returned shape \(\)"),
        ("def price(space, rows):\n    return rows\n", "price", r"returned shape \(1, 11\)"),
        ("def price(space, rows):\n    1 / 0\n", "price", "ZeroDivisionError"),
        ("def macs(space, rows):\n    return rows[:, 0]\n", "macs", "rename the function"),
    ],
)
def test_functions_that_are_none(tmp_path: Path, code: str, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        own_function(f"{written(tmp_path, code)}:{name}", SPACE)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.py:price", "nowhere.py: no such file; give FILE.py:FUNCTION"),
        ("no_such_module:price", "no module 'no_such_module' that Python finds"),
        ("json.nowhere:price", "no module 'json.nowhere' that Python finds"),
        (":price", "'' is no module"),
    ],
)
def test_places_that_are_none(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        own_function(name, SPACE)
