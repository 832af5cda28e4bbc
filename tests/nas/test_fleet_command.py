"""One network for many devices, by the command."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency_lut import LatencyTable
from nas.jobs import curves as comparing
from nas.report import gather
from nas.run import Run
from nas.search import load
from search_spaces import Architecture
from tests.latency_lut.synthetic import every_row
from tests.nas.conftest import BUDGET_MS, Job
from tests.nas.made_tables import another_device
from tests.nas.report.page_parser import parse
from tests.nas.test_bad_input import configured, refused
from tests.nas.tiny import Said, accuracies, files, nas, raising, tiny, write_images

SPACE = tiny()
EVERY = every_row(SPACE)


def limits_of(run: Path, share: float = 0.4, *names: str) -> dict[str, float]:
    tables = {name: LatencyTable.load(run / "latency" / f"{name}.json", SPACE) for name in names}
    return {name: float(np.quantile(one.predict(EVERY), share)) for name, one in tables.items()}


def fleet(run: Path, limits: dict[str, float], *more: object, compared: bool = False) -> Said:
    options = [text for name, ms in limits.items() for text in ("--fleet", f"{name}={ms!r}")]
    alone = [] if compared else ["--no-baselines"]
    return nas("search", run, *options, *alone, *more, "--json")


@pytest.fixture
def many(run: Path) -> dict[str, float]:
    """Limits on two devices that nobody has."""
    another_device(run, "pi4", 3.0)
    another_device(run, "pixel", 2.0)
    return limits_of(run, 0.4, "pi4", "pixel")


def noting(compare: Any, asked: list[str]) -> Any:
    """``compare`` that notes the searchers it has run."""

    def noted(study: Any, again: Any, *rest: Any) -> Any:
        def also(name: str, seed: int) -> Any:
            asked.append(name)
            return again(name, seed)

        return compare(study, also, *rest)

    return noted


def expected_regrets(document: dict[str, Any], limits: dict[str, float]) -> list[dict[str, Any]]:
    points = document["points"]
    best = {
        name: max(p["score"] for p in points if p["latencies"][name]["ms"] <= ms)
        for name, ms in limits.items()
    }
    return [
        {
            name: best[name] - p["score"] if p["latencies"][name]["ms"] <= ms else None
            for name, ms in limits.items()
        }
        for p in points
    ]


def test_devices_that_are_not_at_hand(run: Path, many: dict[str, float]) -> None:
    before = files(run)
    said = fleet(run, many)
    assert said.code == 0, said.err
    assert "not at hand, latencies as predicted by the tables: pi4, pixel" in said.err
    assert "timing" not in said.err
    document = said.json
    folder = run / "fleet"
    assert set(files(folder)) == {"fleet.json", "best.json", "curves.json", "study.sqlite"}
    assert document == json.loads((folder / "fleet.json").read_text())
    after = {name: data for name, data in files(run).items() if not name.startswith("fleet/")}
    assert {n for n in after if after[n] != before[n]} <= {"samples.sqlite"}
    assert [one["basis"] for one in document["devices"]] == ["predicted", "predicted"]
    assert [one["device"]["cpu"] for one in document["devices"]] == ["pi4", "pixel"]
    tables = {name: LatencyTable.load(run / "latency" / f"{name}.json", SPACE) for name in many}
    for point in document["points"]:
        row = SPACE.encode(Architecture.from_json(json.dumps(point["architecture"])))[None]
        for name, latency in point["latencies"].items():
            assert latency["ms"] == pytest.approx(tables[name].predict(row)[0])
    regrets = expected_regrets(document, many)
    assert [point["regrets"] for point in document["points"]] == [
        pytest.approx(one) if None not in one.values() else one for one in regrets
    ]
    worst = [max(r.values()) for r in regrets if None not in r.values()]
    chosen = regrets[document["compromise"]]
    assert max(chosen.values()) == min(worst)
    best = json.loads((folder / "best.json").read_text())
    point = document["points"][document["compromise"]]
    assert best.pop("measured") == point and best == point["architecture"]


def test_fronts_and_bests_of_every_device(run: Path, many: dict[str, float]) -> None:
    said = fleet(run, many, "--budget", 100)
    assert said.code == 0, said.err
    points = said.json["points"]
    for one in said.json["devices"]:
        pairs = [(p["latencies"][one["name"]]["ms"], -p["score"]) for p in points]
        beaten = {
            i
            for i, a in enumerate(pairs)
            if any(b != a and b[0] <= a[0] and b[1] <= a[1] for b in pairs)
        }
        assert set(one["front"]) == set(range(len(points))) - beaten
        assert [pairs[i][0] for i in one["front"]] == sorted(pairs[i][0] for i in one["front"])
        within = [b for a, b in pairs if a <= many[one["name"]]]
        assert pairs[one["best"]][1] == min(within)


def test_accuracies_are_measured_once_for_all(run: Path, many: dict[str, float]) -> None:
    known = len(accuracies(run))
    first = fleet(run, many)
    assert first.code == 0, first.err
    measured = accuracies(run)
    # Some may have been measured before, for the predictor.
    assert len(measured) <= known + len(first.json["points"])
    assert len(dict(measured)) == len(measured)
    for point in first.json["points"]:
        row = SPACE.encode(Architecture.from_json(json.dumps(point["architecture"])))
        assert dict(measured)[str(row.tolist())] == pytest.approx(point["val_accuracy"], abs=1e-3)
    again = fleet(run, many)
    assert again.json["points"] == first.json["points"]
    assert accuracies(run) == measured, "another search has nothing left to measure"


def test_the_one_at_hand_is_measured(run: Path) -> None:
    another_device(run, "pixel", 2.0)
    # Times on a busy machine may be far off; which networks keep a limit is not the question here.
    limits = {name: 100 * ms for name, ms in limits_of(run, 1.0, "cpu", "pixel").items()}
    said = fleet(run, limits)
    assert said.code == 0, said.err
    assert "not at hand, latencies as predicted by the tables: pixel" in said.err
    assert [one["basis"] for one in said.json["devices"]] == ["measured", "predicted"]
    for point in said.json["points"]:
        cpu, pixel = point["latencies"]["cpu"], point["latencies"]["pixel"]
        assert cpu["ms"] != cpu["predicted_ms"] and pixel["ms"] == pixel["predicted_ms"]
    assert not list((run / "fleet").glob("candidates*"))


def test_it_is_exported_and_shown(run: Path, many: dict[str, float]) -> None:
    said = nas("search", run, *(f"--fleet={name}={ms!r}" for name, ms in many.items()))
    assert said.code == 0, said.err
    best = run / "fleet" / "best.json"
    assert said.out.startswith("one for all: ") and " ms predicted (budget " in said.out
    assert said.out.rstrip().endswith(f"next: nas export {run} --architecture {best}")
    assert nas("export", run, "--architecture", best, "-o", run / "all.onnx").code == 0
    assert nas("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "One network for many devices" in page and 'href="#fleet"' in page
    assert "Latencies on pi4, pixel are predictions of the tables alone" in page
    assert nas("report", run, "--search", run / "fleet").code == 0
    page = (run / "fleet" / "report.html").read_text()
    (heading,) = parse(page).all("h1")
    assert heading.text.startswith("Chosen for all: pi4 ")


def volume_of(points: np.ndarray, corner: np.ndarray) -> float:
    """What points [n, d] dominate below ``corner``, cell by cell of the grid that they make."""
    axes = [np.unique([*points[:, k], corner[k]]) for k in range(len(corner))]
    axes = [axis[axis <= corner[k]] for k, axis in enumerate(axes)]
    low = np.stack(np.meshgrid(*(axis[:-1] for axis in axes), indexing="ij"), axis=-1)
    sizes = np.stack(np.meshgrid(*map(np.diff, axes), indexing="ij"), axis=-1).prod(axis=-1)
    below = np.zeros(sizes.shape, dtype=bool)
    for point in points:
        below |= (low >= point).all(axis=-1)
    return float(sizes[below].sum())


def test_it_is_compared_with_the_baselines(
    run: Path, many: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SEEDS", 2)
    monkeypatch.setattr(comparing, "SECONDS", 1e9)
    told = ("--budget", 60, "--searcher", "ofa", "--seed", 3)
    assert fleet(run, many, *told, compared=True).code == 0
    path = run / "fleet" / "curves.json"
    curves = json.loads(path.read_text())
    assert curves["objectives"] == ["error", "latency@pi4", "latency@pixel"]
    assert curves["numbers"][-1] == 60
    ran = {(one["searcher"], one["seed"]) for one in curves["curves"]}
    assert ran == {(name, seed) for name in ("ofa", "random", "local") for seed in (3, 4)}
    values = load(run / "fleet" / "study.sqlite", SPACE).values()[:, :3]
    within = (values[:, 1:] <= np.array(list(many.values()))).any(axis=1)
    corner = values[within].max(axis=0)
    assert curves["reference"] == pytest.approx(corner)
    (own,) = (c for c in curves["curves"] if (c["searcher"], c["seed"]) == ("ofa", 3))
    for number, volume in list(zip(curves["numbers"], own["volumes"], strict=True))[::8]:
        met = values[:number][within[:number]]
        assert volume == pytest.approx(volume_of(met, corner), rel=1e-6)
    assert nas("report", run).code == 0
    part = parse((run / "report.html").read_text()).part("fleet")
    assert "Hypervolume of the predicted front (error and latency@pi4 and latency@p" in part.text
    assert "random, 2 seeds" in part.text and "local, 2 seeds" in part.text
    # What is known stays, and a fleet of other limits has nothing to do with it.
    asked: list[str] = []
    monkeypatch.setattr("nas.jobs.curves.compare", noting(comparing.compare, asked))
    assert fleet(run, many, *told, "--resume", compared=True).code == 0
    assert asked == [] and json.loads(path.read_text())["curves"] == curves["curves"]
    assert fleet(run, {**many, "pi4": 2 * many["pi4"]}, *told).code == 0
    others = json.loads(path.read_text())["curves"]
    assert [(one["searcher"], one["seed"]) for one in others] == [("ofa", 3)]


def test_the_report_leaves_out_curves_of_another_fleet(run: Path, many: dict[str, float]) -> None:
    assert fleet(run, many, "--budget", 20).code == 0
    found = gather(Run(run))
    assert found.fleet is not None and found.fleet.curves is not None
    path = run / "fleet" / "fleet.json"
    document = json.loads(path.read_text())
    document["devices"][0]["limit_ms"] *= 2
    path.write_text(json.dumps(document))
    found = gather(Run(run))
    assert found.fleet is not None and found.fleet.curves is None
    assert "it belongs to another search than fleet.json; search again" in found.warnings[-1]


@pytest.mark.parametrize("content", ["[]", '{"format": 9}', '{"format": 1, "points": []}'])
def test_a_report_without_a_fleet_or_with_a_damaged_one(run: Path, content: str) -> None:
    assert nas("report", run).code == 0
    assert "#fleet" not in (run / "report.html").read_text()
    (run / "fleet").mkdir()
    (run / "fleet" / "fleet.json").write_text(content)
    assert nas("report", run).code == 0
    page = (run / "report.html").read_text()
    assert "fleet.json is" in page and "#fleet" not in page


def test_a_confidence(run: Path, many: dict[str, float]) -> None:
    said = fleet(run, many, "--confidence", 0.95)
    assert said.code == 0, said.err
    chosen = said.json["points"][said.json["compromise"]]
    for name, ms in many.items():
        latency = chosen["latencies"][name]
        assert latency["upper_ms"] == pytest.approx(latency["ms"] + 1.6448536 * latency["std_ms"])
        assert latency["ms"] < latency["upper_ms"] <= ms


def test_a_proxy_in_another_folder(run: Path, many: dict[str, float], tmp_path: Path) -> None:
    out = tmp_path / "elsewhere"
    said = fleet(run, many, "--proxy", "macs", "-o", out, "--seed", 3, "--searcher", "random")
    assert said.code == 0, said.err
    assert (said.json["seed"], said.json["searcher"]) == (3, "random")
    assert {"fleet.json", "best.json"} <= set(files(out)) and not (run / "fleet").exists()


def test_the_command_of_the_report_makes_the_same_again(
    run: Path, many: dict[str, float], tmp_path: Path
) -> None:
    out = tmp_path / "a fleet"
    told = ("--seed", 3, "--budget", 60, "--searcher", "ofa", "--confidence", 0.9, "-o", out)
    first = fleet(run, many, *told).json
    (line,) = (
        one for one in gather(Run(run), searched=out).provenance.commands if "--fleet" in one
    )
    before = files(out)
    shutil.rmtree(out)
    assert nas(*shlex.split(line)[1:]).code == 0
    assert set(files(out)) == set(before) and files(out)["best.json"] == before["best.json"]
    again = json.loads((out / "fleet.json").read_text())
    assert {**again, "seconds": None} == {**first, "seconds": None}


def test_another_seed_is_not_gone_on_with(run: Path, many: dict[str, float]) -> None:
    assert fleet(run, many, "--budget", 20).code == 0
    assert fleet(run, many, "--budget", 20, "--resume").code == 0
    said = fleet(run, many, "--budget", 20, "--resume", "--seed", 9)
    assert said.code == 2 and "fleet/study.sqlite: the study of another search" in said.err


def test_a_fleet_on_other_images_leaves_what_an_earlier_one_found(
    job: Job, run: Path, many: dict[str, float]
) -> None:
    assert fleet(run, many, "--budget", 20).code == 0
    other = write_images(run.parent / "other.npz", first=50)
    configured(run / "config.yaml", str(job.images), str(other))
    before = files(run / "fleet")
    said = fleet(run, many, "--budget", 20, "--seed", 5)
    assert said.code == 2
    assert said.err.splitlines()[-1].startswith(f"nas: {other}: other images than the weights")
    assert files(run / "fleet") == {k: v for k, v in before.items() if k != "study.sqlite"}


def test_a_search_that_is_killed_leaves_no_network_of_an_earlier_one(
    run: Path, many: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run / "fleet"
    assert fleet(run, many).code == 0
    before = files(folder)
    begun = ("--seed", 3)
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr("nas.jobs.fleet.fitted_guide", raising)
        fleet(run, many, *begun)
    kept = ("fleet.json", "best.json")
    assert [files(folder)[name] for name in kept] == [before[name] for name in kept]
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr("nas.jobs.fleet.members_of", raising)
        fleet(run, many, *begun)
    after = files(folder)
    left = {"study.sqlite", "fleet.earlier.json", "best.earlier.json"}
    assert set(after) == {*left, "curves.json"}
    assert after["fleet.earlier.json"] == before["fleet.json"]
    assert after["best.earlier.json"] == before["best.json"]
    assert nas("report", run).code == 0
    earlier = f"that of an earlier search is {folder}/fleet.earlier.json"
    assert earlier in (run / "report.html").read_text()
    said = nas("report", run, "--search", folder)
    assert said.code == 2 and earlier in said.err
    assert fleet(run, many, *begun, "--resume").code == 0
    assert set(files(folder)) == set(before)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fleet", "pi4"), "--fleet is NAME=NUMBER, for example pi4=5; got 'pi4'"),
        (("--fleet", "pi4=0"), "--fleet pi4 is a number above 0, in ms; got 0"),
        (("--fleet", "pi4=-1"), "--fleet pi4 is a number above 0, in ms; got -1"),
        (("--fleet", "pi4=1", "--fleet", "pi4=2"), "--fleet pi4 is given twice"),
        (("--fleet", "pi5=1"), "no latency table 'pi5'; there are cpu, pi4, pixel; did you mean"),
        (("--fleet", "pi4=1", "--latency-ms", "2"), "leave out --latency-ms"),
        (
            ("--fleet", "pi4=1", "--limit", "macs=2"),
            "solved for; leave out --limit",
        ),
        (("--fleet", "pi4=1", "--objective", "macs"), "leave out --objective"),
        (("--fleet", "pi4=1", "--searcher", "oracle"), "no searcher 'oracle'; there are "),
        (("--fleet", "pi4=1", "--device", "openvino"), "no device 'openvino'"),
        (("--fleet", "pi4=1", "--confidence", "2"), "--confidence is from 0.5 to below 1"),
    ],
)
@pytest.mark.usefixtures("many")
def test_what_cannot_be_asked_for(run: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(run, "search", run, *arguments)


def test_a_limit_that_nothing_keeps(run: Path, many: dict[str, float]) -> None:
    table = LatencyTable.load(run / "latency" / "pixel.json", SPACE)
    fastest = float(table.predict(EVERY).min())
    said = refused(
        run, "search", run, "--fleet", f"pi4={many['pi4']!r}", "--fleet", f"pixel={fastest / 2!r}"
    )
    assert said.startswith("no network of tiny keeps latency@pixel within ")
    assert said.endswith(f"; the smallest reaches {fastest:.4g} ms")


def test_folders_that_hold_something_else(run: Path, many: dict[str, float]) -> None:
    given = ("--fleet", f"pi4={many['pi4']!r}")
    said = refused(run, "search", run, *given, "-o", run)
    assert said.startswith(f"{run}: holds a run, or the search for one device")
    fleets = run / "fleet"
    assert fleet(run, many).code == 0
    before = files(fleets)
    one = ("search", run, "--latency-ms", BUDGET_MS, "-o", fleets)
    assert refused(run, *one).startswith(f"{fleets}: holds the search for a fleet, and its best")
    (fleets / "fleet.json").rename(fleets / "fleet.earlier.json")
    assert refused(run, *one).endswith("its best.json stays that one's; -o is another folder")
    (fleets / "fleet.earlier.json").rename(fleets / "fleet.json")
    assert files(fleets) == before
    said = refused(run, "search", run, *given, "-o", run / "log.csv")
    assert said == f"{run}/log.csv: a search writes several files; -o is a folder"
