"""What the map of a search is over, as users choose it."""

from __future__ import annotations

import json
import shlex
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latency_lut import LatencyTable
from nas.jobs.asked import Asked
from nas.jobs.budget import SearchOptions
from nas.jobs.dimensions import dimensions_of, made
from nas.jobs.guide import Guide
from nas.jobs.one_round import round_study
from nas.report import gather
from nas.report.course_documents import curves_belong_to
from nas.run import Run
from nas.search import load
from nas.search.dimensions import usual_dimensions
from nas.search.searchers.map_elites import MapElites
from search_spaces.errors import ConfigError, NasLoopError
from tests.latency_lut.synthetic import every_row
from tests.nas.conftest import BUDGET_MS
from tests.nas.made_tables import another_device, made_up_table
from tests.nas.report.page_parser import parse
from tests.nas.test_bad_input import refused
from tests.nas.tiny import nas, rows, tiny

SPACE = tiny()
EVERY = every_row(SPACE)
TABLE = made_up_table(SPACE)
GUIDE = Guide("MACs", "test", SimpleNamespace(predict=lambda rows: -SPACE.macs(rows)), "MACs")


def search(run: Path, *more: object) -> Any:
    said = nas("search", run, "--latency-ms", BUDGET_MS, "--no-baselines", *more, "--json")
    assert said.code == 0, said.err
    return said.json


# Names and edges


def test_names_and_edges() -> None:
    assert dimensions_of([]) == ()
    assert dimensions_of(["macs"]) == (("macs", ()),)
    assert dimensions_of(["latency@pi4=1,2.5,1e1", "layers"]) == (
        ("latency@pi4", (1.0, 2.5, 10.0)),
        ("layers", ()),
    )


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["flops"], "no dimension 'flops'; there are latency, macs, parameters, model_mb, peak_m"),
        (["latency_ms"], "resolution, layers; did you mean 'latency'?"),
        ([""], "no dimension ''"),
        (["macs@pi4"], "no dimension 'macs@pi4'"),
        (["accuracy"], "--dimension accuracy: it is what the best of each cell is chosen by"),
        (["macs="], "--dimension is NAME or NAME=EDGE,EDGE,... with two edges or more, for ex"),
        (["macs=1e6"], "got 'macs=1e6'"),
        (["macs=1,few"], "got 'macs=1,few'"),
        (["macs=1,inf"], "got 'macs=1,inf'"),
        (["macs=1,3,2"], "--dimension: edges rise from one to the next; got 'macs=1,3,2'"),
        (["macs=1,1"], "--dimension: edges rise from one to the next; got 'macs=1,1'"),
        (["macs", "macs=1,2"], "--dimension macs is given twice"),
        (["macs", "layers", "latency"], "is given 3 times; a map is drawn over 2 at most"),
    ],
)
def test_what_is_no_dimension(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        dimensions_of(texts)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("name", "title", "values"),
    [
        ("macs", "million MACs", SPACE.macs(EVERY) / 1e6),
        ("parameters", "million parameters", SPACE.parameters(EVERY) / 1e6),
        ("model_mb", "model_mb, MB", SPACE.parameters(EVERY) * 4e-6),
        ("latency", "latency, ms", TABLE.predict(EVERY)),
    ],
)
def test_a_cost_has_cells_that_grow_by_equal_factors(
    name: str, title: str, values: np.ndarray
) -> None:
    (one,) = made(((name, ()),), SPACE, {}, TABLE)
    assert one.name == title
    np.testing.assert_allclose(one.function(EVERY), values)
    steps = one.edges[1:] / one.edges[:-1]
    np.testing.assert_allclose(steps, steps[0])
    assert one.edges[[0, -1]] == pytest.approx([values.min(), values.max()], rel=0.05)


def test_edges_of_ones_own_are_in_the_units_of_the_name() -> None:
    chosen = dimensions_of(["macs=1e5,2e5,3e5", "resolution=7,9,11"])
    macs, sides = made(chosen, SPACE, {}, None)
    np.testing.assert_allclose(macs.edges, [0.1, 0.2, 0.3])
    counts = SPACE.macs(EVERY)
    np.testing.assert_array_equal(macs.cell(EVERY), counts >= 2e5)
    np.testing.assert_array_equal(sides.edges, [7, 9, 11])
    assert sides.values is None
    position = [choice.name for choice in SPACE.choices].index("resolution")
    np.testing.assert_array_equal(sides.cell(EVERY), EVERY[:, position])


def test_cells_without_edges_are_those_of_the_usual_map() -> None:
    for one, usual in zip(
        made(dimensions_of(["macs", "resolution"]), SPACE, {}, None),
        usual_dimensions(SPACE),
        strict=True,
    ):
        np.testing.assert_array_equal(one.cell(EVERY), usual.cell(EVERY))
        assert one.name == usual.name


def test_what_the_space_or_its_tables_do_not_have() -> None:
    with pytest.raises(ConfigError, match="--dimension resolution: all networks of tiny take one"):
        made((("resolution", ()),), tiny(resolutions=(8,)), {}, None)
    for name, said in (("latency", "told by a latency table"), ("energy_mj", "the latency table")):
        with pytest.raises(NasLoopError, match=said):
            made(((name, ()),), SPACE, {}, TABLE if name == "energy_mj" else None)


# Searches


def study_rows(options: SearchOptions, asked: Asked | None = None) -> np.ndarray:
    return round_study(SPACE, TABLE, GUIDE, options, asked=asked).records.rows


def test_map_elites_goes_by_them_and_others_do_not() -> None:
    budget = float(np.median(TABLE.predict(EVERY)))
    chosen = dimensions_of(["latency", "layers"])
    asked = Asked(dimensions=partial(made, chosen, SPACE, {}))
    options = SearchOptions(budget, "map-elites", evaluations=300)
    over = partial(MapElites, dimensions=made(chosen, SPACE, {}, TABLE))
    usual, own = study_rows(options), study_rows(options, asked)
    np.testing.assert_array_equal(
        own,
        study_rows(SearchOptions(budget, over, evaluations=300)),  # type: ignore[arg-type]
    )
    assert not np.array_equal(usual, own)
    options = SearchOptions(budget, evaluations=300)
    np.testing.assert_array_equal(study_rows(options), study_rows(options, asked))


def test_the_map_is_over_them(run: Path) -> None:
    table = LatencyTable.load(another_device(run, "pixel", 3.0), SPACE)
    middle = float(np.median(table.predict(EVERY)))
    edges = f"0,{middle!r},1000"
    chosen = ("--dimension", f"latency@pixel={edges}", "--dimension", "layers")
    front = search(run, *chosen, "--budget", 80, "--seed", 2)
    assert front["told"]["dimensions"] == {"latency@pixel": [0, middle, 1000], "layers": []}
    found = front["elites"]
    assert [one["name"] for one in found["dimensions"]] == ["latency@pixel, ms", "layers"]
    counts = found["dimensions"][1]["values"]
    study = load(run / "study.sqlite", SPACE)
    best: dict[tuple[bool, int], float] = {}
    for row, (error, ms) in zip(study.records.rows, study.values(), strict=True):
        assert ms <= BUDGET_MS, "every network is within the limit"
        kind = bool(table.predict(row[None])[0] >= middle), len(SPACE.lower_row(row).nodes)
        best[kind] = min(error, best.get(kind, np.inf))
    kinds = [(bool(across), int(counts[up])) for across, up in found["cells"]]
    assert dict(zip(kinds, found["qualities"], strict=True)) == {
        kind: pytest.approx(error, abs=1e-4) for kind, error in best.items()
    }
    assert nas("report", run).code == 0
    part = parse((run / "report.html").read_text()).part("search")
    assert "The best network found of each kind, by latency@pixel, ms and layers" in part.text
    # The report's command searches the same again.
    before = rows(run / "study.sqlite", "evaluations")
    (again,) = (c for c in gather(Run(run)).provenance.commands if c.startswith("nas search"))
    assert shlex.split(again).count("--dimension") == 2
    assert nas(*shlex.split(again)[1:], "--no-baselines").code == 0
    assert rows(run / "study.sqlite", "evaluations") == before
    assert json.loads((run / "front.json").read_text())["elites"] == found


def test_a_search_over_others_is_not_gone_on_with(run: Path) -> None:
    told = ("--searcher", "map-elites", "--budget", 40)
    search(run, *told, "--dimension", "latency", "--dimension", "macs=1e5,2e5")
    search(run, *told, "--dimension", "latency", "--dimension", "macs=100000,200000", "--resume")
    again = ("search", run, "--latency-ms", BUDGET_MS, *told, "--resume")
    said = nas(*again)
    started = "it was started with --dimension latency --dimension macs=100000.0,200000.0)"
    assert said.code == 2 and started in said.err
    (run / "measured.json").unlink()
    said = nas(*again, "--dimension", "layers")
    assert said.code == 2 and "study.sqlite: the study of another search" in said.err


def test_curves_of_searches_over_others_are_told_apart() -> None:
    told = [{"told": {"dimensions": one}} for one in ({"macs": []}, {"macs": [1, 2]}, {})]
    one, other, none = (curves_belong_to({**by, "searcher": "map-elites"}) for by in told)
    assert one != other and none == curves_belong_to({}) != one
    assert len({str(curves_belong_to({**by, "searcher": "nsga2"})) for by in told}) == 1


def test_a_map_is_drawn_anew_over_others(run: Path) -> None:
    first = search(run, "--budget", 40, "--dimension", "macs")
    again = search(run, "--budget", 40, "--dimension", "layers", "--resume")
    axes = [[one["name"] for one in found["elites"]["dimensions"]] for found in (first, again)]
    assert axes[0] == ["million MACs"] and axes[1] == ["layers"]
    assert first["points"] == again["points"], "measured once"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--latency-ms", 1, "--dimension", "flops"), "no dimension 'flops'"),
        (("--latency-ms", 1, "--dimension", "energy_mj"), "energy_mj: the latency table has"),
        (("--latency-ms", 1, "--dimension", "latency@pi4"), "no latency table 'pi4'"),
        (
            ("--latency-ms", 1, "--dimension", "macs", "--proxy", "macs"),
            "the proxy macs predicts no error, so that there is no map of it; leave out --dimens",
        ),
        (("--fleet", "cpu=1", "--dimension", "macs"), "mapped or solved for; leave out --dimen"),
    ],
)
def test_what_cannot_be_mapped(run: Path, arguments: tuple[object, ...], said: str) -> None:
    (run / "samples.sqlite").unlink()
    assert said in refused(run, "search", run, *arguments)


def test_map_elites_may_go_by_them_without_a_predictor(run: Path) -> None:
    told = ("--proxy", "macs", "--searcher", "map-elites", "--dimension", "layers")
    assert search(run, *told, "--budget", 40)["elites"] is None
