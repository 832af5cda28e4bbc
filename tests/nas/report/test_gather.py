"""From a run folder to data: what is missing stays empty, what is damaged is named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.report import gather, render
from nas.run import Run
from search_spaces.errors import ConfigError

NOTHING = {"limits": {}, "objectives": [], "device": "cpu", "threads": None, "table": None}
"""What a search was told that was told nothing."""


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_whole_run(run: Run) -> None:
    data = gather(run)
    front = json.loads(run.front.read_text())
    assert data.trained and data.warnings == ()
    assert data.front is not None and data.test is not None and data.network is not None
    assert data.front.best.latency_ms == front["points"][front["best"]]["latency_ms"]
    assert [p.latency_ms for p in data.front.points] == sorted(
        p["latency_ms"] for p in front["points"]
    )
    assert len(data.log) == 48 and data.log[0].phase == "largest"
    (table,) = data.tables
    assert table.name == "cpu" and len(table.networks) == 40
    assert sum(not network.fitted for network in table.networks) == 15
    layers = [block for block in data.network.blocks if block.present]
    assert sum(block.macs for block in layers) == data.front.best.macs
    assert sum(block.parameters for block in layers) == data.front.best.parameters
    # What the table gives the layers is nearly what it predicts for the network.
    time = sum(block.latency_ms or 0.0 for block in layers)
    assert time == pytest.approx(data.front.best.predicted_latency_ms, rel=0.2)


def test_points_and_test_accuracies_are_put_in_order_together(run: Run) -> None:
    front = json.loads(run.front.read_text())
    test = json.loads((run.folder / "test.json").read_text())
    expected = gather(run)
    front["points"].reverse()
    test["points"].reverse()
    front["best"] = len(front["points"]) - 1 - front["best"]
    run.front.write_text(json.dumps(front))
    (run.folder / "test.json").write_text(json.dumps(test))
    found = gather(run)
    assert (found.front, found.test) == (expected.front, expected.test)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("front.json", "front"),
        ("test.json", "test"),
        ("curves.json", "curves"),
        ("log.csv", "log"),
        ("latency/cpu.json", "tables"),
    ],
)
def test_a_missing_file_is_an_empty_part(run: Run, name: str, attribute: str) -> None:
    (run.folder / name).unlink()
    data = gather(run)
    assert not getattr(data, attribute) and data.warnings == ()
    render(data)


def test_only_a_configuration(run: Run) -> None:
    for path in run.folder.rglob("*"):
        if path.is_file() and path != run.config_file:
            path.unlink()
    data = gather(run)
    assert (data.trained, data.front, data.network, data.tables) == (False, None, None, ())
    assert data.warnings == ()


@pytest.mark.parametrize(
    "name", ["front.json", "test.json", "best.json", "curves.json", "latency/cpu.json"]
)
@pytest.mark.parametrize("kept", [0.0, 0.6])
def test_a_truncated_file_is_named(run: Run, name: str, kept: float) -> None:
    path = run.folder / name
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    data = gather(run)
    assert any(path.name in text or "architecture" in text for text in data.warnings)
    assert not any("\n" in text for text in data.warnings)
    render(data)


@pytest.mark.parametrize("content", ["[]", "7", '{"format": 9}', '{"format": 1, "points": 3}'])
def test_a_front_of_something_else_is_named(run: Run, content: str) -> None:
    run.front.write_text(content)
    data = gather(run)
    assert data.front is None and "front.json" in data.warnings[0]
    render(data)


def test_what_curves_and_neighbours_hold(run: Run) -> None:
    data, front = gather(run), json.loads(run.front.read_text())
    curves = json.loads(run.curves.read_text())
    assert data.curves is not None and data.front is not None
    assert data.curves.numbers == tuple(curves["numbers"])
    assert [[c.searcher, c.seed, list(c.volumes)] for c in data.curves.curves] == [
        [c["searcher"], c["seed"], c["volumes"]] for c in curves["curves"]
    ]
    growth, neighbours = data.front.growth, data.front.neighbours
    assert growth is not None and neighbours is not None
    assert [n for n, _ in growth.fronts] == [500, 1250, 2500, 5000]
    assert [[list(p) for p in points] for _, points in growth.fronts] == [
        one["points"] for one in front["growth"]["fronts"]
    ]
    assert [vars(change) for change in neighbours.changes] == front["neighbours"]["changes"]


def test_what_the_map_holds_and_that_it_is_drawn(run: Run) -> None:
    data, front = gather(run), json.loads(run.front.read_text())["elites"]
    assert data.front is not None and data.front.elites is not None
    found = data.front.elites
    assert [axis.name for axis in found.axes] == ["million MACs", "resolution"]
    assert [axis.values for axis in found.axes] == [None, (24.0, 28.0, 32.0)]
    assert [list(cell) for cell in found.cells] == front["cells"]
    assert [list(row) for row in found.rows] == front["rows"]
    assert list(found.qualities) == front["qualities"]
    page = render(data)
    said = r">predicted error, % 11[.0]*: million MACs 1[.0]* to 10[.0]*, resolution 32;"
    assert len(re.findall(said, page)) == 2
    # Beyond the limits is hollow, once in each of the two widths that a figure is drawn for.
    assert page.count('class="cell hollow"') == 2 and page.count('class="cell"') == 4


@pytest.mark.parametrize(
    "change",
    [
        {"cells": []},
        {"cells": [[0], [0], [1]]},
        {"qualities": [1.0, 2.0]},
        {"qualities": [1.0, 2.0, float("nan")]},
        {"cells": [[0, 0], [0, 3], [1, 1]]},
        {"dimensions": []},
        {"dimensions": [{"name": "x", "edges": [2.0, 1.0]}] * 2},
        {"dimensions": [{"name": "x", "edges": [0.0, 2.0, 4.0], "values": [1.0, 5.0]}] * 2},
        {"dimensions": [{"name": "x", "edges": [0.0, 2.0, 4.0], "values": [1.0]}] * 2},
    ],
)
def test_a_damaged_map_is_named(run: Run, change: dict[str, Any]) -> None:
    elites = json.loads(run.front.read_text())["elites"]
    edit(run.front, elites={**elites, **change})
    data = gather(run)
    assert data.front is None and "front.json" in data.warnings[0]
    render(data)


def test_a_front_of_before_growth_and_neighbours_still_shows(run: Run) -> None:
    front = json.loads(run.front.read_text())
    del front["growth"], front["neighbours"], front["elites"]
    run.front.write_text(json.dumps(front))
    run.curves.unlink()
    data = gather(run)
    assert data.warnings == () and data.front is not None
    assert data.front.growth is data.front.neighbours is data.curves is None
    render(data)
    # As searches write it that went by something else than error and latency.
    edit(run.front, growth=None, neighbours=None, elites=None)
    assert gather(run) == data


@pytest.mark.parametrize(
    "change",
    [
        {"growth": {"fronts": []}},
        {"growth": {"scale": "x, y", "fronts": [{"evaluations": 5, "points": [[1]]}]}},
        {"neighbours": {"scale": "x, y", "latency_ms": 1, "score": float("nan"), "changes": []}},
        {"neighbours": {"scale": "x, y", "latency_ms": 1, "score": 2, "changes": [{}]}},
    ],
)
def test_damaged_growth_and_neighbours_are_named(run: Run, change: dict[str, Any]) -> None:
    edit(run.front, **change)
    data = gather(run)
    assert data.front is None and "front.json is damaged" in data.warnings[0]


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"numbers": []},
        {"numbers": [0, 10]},
        {"numbers": [20, 10]},
        {"curves": []},
        {"curves": [{"searcher": "nsga2", "seed": 0, "volumes": [1.0]}]},
        {"curves": [{"searcher": "nsga2", "seed": 0}]},
        {"reference": [1.0]},
        {"reference": [1.0, float("inf")]},
        {"curves": [{"searcher": "nsga2", "seed": 0, "volumes": [float("nan")] * 40}]},
    ],
)
def test_damaged_curves_are_named(run: Run, change: dict[str, Any]) -> None:
    edit(run.curves, **change)
    data = gather(run)
    assert data.curves is None and data.front is not None
    (warning,) = data.warnings
    assert warning.startswith("curves.json is damaged or of another version")
    render(data)


@pytest.mark.parametrize("key", ["weights", "table", "budget_ms", "guide_identity", "quantities"])
def test_curves_of_another_search_are_left_out(run: Run, key: str) -> None:
    curves = json.loads(run.curves.read_text())
    edit(run.curves, belongs={**curves["belongs"], key: "another"})
    data = gather(run)
    assert data.curves is None and "another search than front.json" in data.warnings[0]


def test_a_best_network_of_another_front_is_named(run: Run) -> None:
    front = json.loads(run.front.read_text())
    edit(run.front, best=(front["best"] + 1) % len(front["points"]))
    data = gather(run)
    assert data.front is not None and data.network is None
    (warning,) = data.warnings
    assert warning.startswith(f"{run.best} is the best network of {run.front}")
    render(data)


def test_a_point_without_what_every_point_has(run: Run) -> None:
    front = json.loads(run.front.read_text())
    front["points"][0]["latency_ms"] = float("nan")
    run.front.write_text(json.dumps(front))
    data = gather(run)
    assert data.front is None and "latency_ms" in data.warnings[0]


def test_missing_and_endless_measurements_are_left_out(run: Run) -> None:
    front = json.loads(run.front.read_text())
    front["points"][0]["peak_memory_mb"] = None
    front["points"][1]["throughput"] = float("inf")
    front["cloud"].append([float("nan"), 3.0])
    run.front.write_text(json.dumps(front))
    data = gather(run)
    assert data.front is not None
    assert data.front.points[0].peak_memory_mb is data.front.points[1].throughput is None
    assert len(data.front.cloud) == len(front["cloud"]) - 1
    render(data)


def test_noise_is_told_of_campaigns_that_the_table_still_comes_from(run: Run) -> None:
    path = run.latency("cpu")
    document = json.loads(path.read_text())
    samples = {"models": [], "windows": []}
    for first, second, resolutions, expected in (
        (False, None, [], False),
        (True, None, [], True),
        (False, True, [24], True),
        (True, False, [24], True),
        (True, False, [8], False),
    ):
        later = {"resolutions": resolutions, "pace": 1.0, "samples": samples}
        campaign = {**document["campaign"], "noisy": second}
        edit(
            path,
            campaign={**document["campaign"], "noisy": first},
            further=[] if second is None else [{**later, "campaign": campaign}],
        )
        assert [table.campaign["noisy"] for table in gather(run).tables] == [expected]


def test_results_of_other_weights_are_not_mixed(run: Run) -> None:
    edit(run.front, weights="0" * 64)
    data = gather(run)
    assert data.front is not None and data.test is None
    assert any("other weights; search again" in text for text in data.warnings)
    assert any("test.json" in text for text in data.warnings)


def test_a_front_of_another_space_is_left_out(run: Run) -> None:
    edit(run.front, identity="0" * 64)
    data = gather(run)
    assert data.front is data.network is None
    assert any("another space than the weights" in text for text in data.warnings)


def test_a_configuration_of_another_space_is_named(run: Run) -> None:
    text = run.config_file.read_text()
    assert "resolutions: [8]" in text
    run.config_file.write_text(text.replace("resolutions: [8]", "resolutions: [8, 16]"))
    data = gather(run)
    assert data.network is None and any("restore the conf" in w for w in data.warnings)
    render(data)


def test_damaged_weights_are_named(run: Run) -> None:
    run.supernet.write_bytes(b"not a safetensors file")
    data = gather(run)
    assert not data.trained and "not a whole safetensors file" in data.warnings[0]
    render(data)


@pytest.mark.parametrize("line", ["48,width,0.1,nan,90,80,700,60", "x,y", "48,width"])
def test_a_damaged_log_is_named(run: Run, line: str) -> None:
    with run.log.open("a") as stream:
        stream.write(line + "\n")
    data = gather(run)
    assert data.log == () and "log.csv is damaged" in data.warnings[0]


def test_a_configuration_that_cannot_be_read_is_an_error(run: Run) -> None:
    run.config_file.write_text("nonsense: 1")
    with pytest.raises(ConfigError, match="nonsense"):
        gather(run)


def test_it_needs_no_pytorch(whole: Run) -> None:
    code = (
        "import sys; from pathlib import Path; from nas.report import gather, render; "
        "from nas.run import Run; render(gather(Run(Path(sys.argv[1])))); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(whole.folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_search_that_wrote_elsewhere(run: Run, tmp_path: Path) -> None:
    own, other = gather(run), Run(tmp_path / "an other")
    other.folder.mkdir()
    for name in ("front.json", "best.json", "curves.json", "test.json"):
        (run.folder / name).rename(other.folder / name)
    assert gather(run).front is None
    data = gather(run, searched=other.folder)
    assert (data.front, data.curves, data.test) == (own.front, own.curves, own.test)
    assert data.network == own.network
    assert not data.warnings
    assert data.provenance.facts["Search"] == str(other.folder)
    search, export, report = data.provenance.commands[-3:]
    assert search.endswith(f"-o '{other.folder}'")
    assert export.endswith(f"--architecture '{other.best}'")
    assert report.endswith(f"--search '{other.folder}'")
    untested = render(replace(data, test=None))
    assert f"nas report &#x27;{run.folder}&#x27; --search &#x27;{other.folder}&#x27;" in untested


def test_a_fleet_that_was_searched_elsewhere(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "fleet of others"
    edit(run.front, budget_ms=0.45)
    other.mkdir()
    point = {"score": 80.0, "val_accuracy": None, "regrets": {"pi4": 0.0}}
    fleet = {
        "format": 1,
        "identity": json.loads(run.front.read_text())["identity"],
        "weights": json.loads(run.front.read_text())["weights"],
        "score": "score",
        "searcher": "ofa",
        "seed": 4,
        "stagnation": 300,
        "told": {**NOTHING, "evaluations": 9000, "device": "ssh://pi4"},
        "devices": [
            {
                "name": "pi4",
                "limit_ms": 5.0,
                "basis": "measured",
                "front": [0],
                "best": 0,
                "device": {"device": "ssh://pi4", "threads": 2},
            },
            {
                "name": "cpu",
                "limit_ms": 0.123456789,
                "basis": "predicted",
                "front": [0],
                "best": 0,
                "device": {"device": "cpu", "threads": 1},
            },
        ],
        "points": [{**point, "latencies": {"pi4": {"ms": 3.0}, "cpu": {"ms": 0.1}}}],
        "compromise": 0,
    }
    (other / "fleet.json").write_text(json.dumps(fleet))
    assert gather(run).fleet is None
    data = gather(run, searched=other)
    assert data.front is None and data.fleet is not None
    assert data.fleet.devices[0].name == "pi4"
    folder, train = f"'{run.folder}'", f"nas train '{run.config_file}'"
    assert data.provenance.commands == (
        f"{train} --out {folder}",
        f"nas measure {folder} --device ssh://pi4 --threads 2 --name pi4",
        f"nas measure {folder}",
        f"nas search {folder} --fleet pi4=5 --fleet cpu=0.123456789 --searcher ofa --budget 9000 "
        f"--stagnation 300 --seed 4 --device ssh://pi4 -o '{other}'",
        f"nas export {folder} --architecture '{other}/best.json'",
        f"nas report {folder} --search '{other}'",
    )
    assert "search for a fleet 4" in data.provenance.facts["Seeds"]
    # In the run itself it is beside the search for one device.
    other.rename(run.fleet)
    before, both = data.provenance.commands, gather(run).provenance.commands
    searches = [line for line in both if line.startswith("nas search")]
    assert searches == [
        f"nas search {folder} --latency-ms 0.45 --searcher nsga2 --seed 7",
        before[3].removesuffix(f" -o '{other}'"),
    ]
    assert both[-2:] == (f"nas export {folder}", f"nas report {folder}")
    run.front.unlink()
    export = gather(run).provenance.commands[-2]
    assert export == f"nas export {folder} --architecture '{run.fleet}/best.json'"


@pytest.mark.parametrize(
    ("said", "search", "measure"),
    [
        ({}, "--seed 7", ""),
        ({"evaluations": 50_000}, "--seed 7", ""),  # The configuration's.
        ({"evaluations": 2_000_000}, "--budget 2000000 --seed 7", ""),
        (
            {"limits": {"macs": 3e8, "energy_mj@pi4": 1 / 3}, "objectives": ["my.py:noise"]},
            "--seed 7 --limit macs=3e+08 --limit energy_mj@pi4=0.3333333333333333 "
            "--objective my.py:noise",
            "",
        ),
        (
            {"device": "ssh://a,ssh://b", "threads": 2},
            "--seed 7 --device ssh://a,ssh://b --threads 2",
            " --device ssh://a --threads 2",
        ),
        (
            {"threads": 1, "table": "my tables/a.json"},
            "--seed 7 --table 'my tables/a.json'",
            " -o 'my tables/a.json'",
        ),
    ],
)
def test_what_a_search_was_told_is_said_again(
    run: Run, said: dict[str, Any], search: str, measure: str
) -> None:
    edit(run.front, budget_ms=0.45, told={**NOTHING, **said})
    _, measured, searched, *_ = gather(run).provenance.commands
    assert measured == f"nas measure '{run.folder}'{measure}"
    assert searched == f"nas search '{run.folder}' --latency-ms 0.45 --searcher nsga2 {search}"


def test_an_older_front_says_what_it_knows(run: Run) -> None:
    sought = [
        {"name": "macs", "unit": "", "basis": "counted", "objective": True, "limit": 3e8},
        {"name": "accuracy", "unit": "%", "basis": "predicted", "objective": True, "limit": 70},
    ]
    quantities = [{**one, "least": one["unit"] == "%"} for one in sought]
    assert "told" not in json.loads(run.front.read_text())
    edit(run.front, budget_ms=0.45, quantities=quantities)
    assert (
        gather(run)
        .provenance.commands[2]
        .endswith(
            "--latency-ms 0.45 --searcher nsga2 --seed 7 --limit macs=3e+08 --limit accuracy=70 "
            "--objective macs"
        )
    )
    edit(run.front, told=["--seed"])
    data = gather(run)
    assert data.front is None and any("front.json is damaged" in said for said in data.warnings)
    assert data.provenance.commands[2].endswith(" --latency-ms BUDGET")
