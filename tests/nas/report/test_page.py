"""The page: whole, self-contained, escaped, and honest about what is missing."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.report import ReportData, render, write_report
from nas.report.course import Change, Curve, Curves, Neighbours
from nas.run import Run
from search_spaces.errors import NasLoopError
from tests.nas.report.made_up import CLASSES, DEVICE
from tests.nas.report.page_parser import Element, parse

PARTS = [
    "frontier",
    "prediction",
    "network",
    "training",
    "costs",
    "latency",
    "search",
    "provenance",
]


def test_parts_stand_in_order_and_are_linked(page: Element) -> None:
    parts = [section.attributes["aria-labelledby"] for section in page.all("section")]
    assert parts == PARTS
    assert [link.attributes["href"] for link in page.all("a")] == [f"#{part}" for part in PARTS]
    ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert sorted(ids) == sorted(PARTS)


def test_a_whole_run_has_nothing_missing_and_no_warnings(page: Element, data: ReportData) -> None:
    assert data.warnings == ()
    assert page.all(class_="missing") == page.all(class_="warning") == []


def test_the_title_is_the_result(page: Element, data: ReportData) -> None:
    assert data.front is not None and data.test is not None
    best = data.front.best
    (title, *_), (heading,) = page.all("title"), page.all("h1")
    assert title.text == heading.text.replace("\u00a0", " ")
    assert title.text == (
        f"Chosen: {best.latency_ms:.3f} ms measured (budget {data.front.budget_ms:.3f} ms) on "
        f"AMD EPYC 9B14 & Co, 1 thread; {best.val_accuracy:.1f}% validation, "
        f"{data.test.accuracy[data.front.chosen]:.1f}% test"
    )


def test_nothing_is_loaded(page: Element, data: ReportData) -> None:
    forbidden = {"script", "link", "img", "iframe", "object", "embed", "video", "audio", "use"}
    assert forbidden.isdisjoint(element.tag for element in page.all())
    for element in page.all():
        assert not {"src", "srcset", "data", "xlink:href", "action"} & set(element.attributes)
        assert not [name for name in element.attributes if name.startswith("on")]
        for value in element.attributes.values():
            assert "://" not in (value or "") and "url(" not in (value or "")
    (style,) = page.all("style")
    assert not re.search(r"url\(|@import|https?:", style.text)
    assert not re.search(r"https?://", render(data))


def test_pictures_have_words_and_two_widths(page: Element) -> None:
    figures = page.all("figure")
    assert len(figures) == 10
    for figure in figures:
        wide, narrow = figure.all("svg")
        for svg in (wide, narrow):
            assert svg.attributes["role"] == "img"
            assert svg.children and svg.all("title")[0] is svg.children[0]
            assert len(svg.all("title")[0].text) > 15
        assert float(narrow.attributes["width"] or 0) <= 350
        assert len(figure.all("figcaption")[0].text) > 20


def test_no_coordinate_is_broken(page: Element) -> None:
    for svg in page.all("svg"):
        width, height = float(svg.attributes["width"] or 0), float(svg.attributes["height"] or 0)
        for element in svg.all():
            for name, value in element.attributes.items():
                assert "nan" not in (value or "") and "inf" not in (value or "")
                if name in ("x", "cx", "x1", "x2"):
                    assert -1 <= float(value or 0) <= width + 10
                if name in ("y", "cy", "y1", "y2"):
                    assert -1 <= float(value or 0) <= height + 1


def test_the_frontier_shows_every_point(page: Element, data: ReportData) -> None:
    assert data.front is not None
    n = len(data.front.points)
    for svg in page.part("frontier").all("svg"):
        assert len(svg.all("circle", "val")) == n
        assert len(svg.all("polygon", "test")) == n
        assert len(svg.all("circle", "beaten")) == len(data.front.dominated)
        assert len(svg.all("circle", "ring")) == 1
        assert len(svg.all("line", "budget")) == 1
        assert len(svg.all("line", "error")) == 3 * n
        assert svg.all("path", "dots-cloud")[0].attributes["d"]


def test_the_ring_is_around_the_chosen_point(page: Element, data: ReportData) -> None:
    assert data.front is not None
    for svg in page.part("frontier").all("svg"):
        (ring,) = svg.all("circle", "ring")
        chosen = svg.all("circle", "val")[data.front.chosen]
        assert all(ring.attributes[at] == chosen.attributes[at] for at in ("cx", "cy"))


def test_the_table_of_costs_has_every_number(page: Element, data: ReportData) -> None:
    front, test = data.front, data.test
    assert front is not None and test is not None
    table = page.part("costs").all("table")[0]
    titles = [cell.text for cell in table.all("thead")[0].all("th")]
    rows = [[cell.text for cell in row.children] for row in table.all("tbody")[0].all("tr")]  # type: ignore[union-attr]
    assert len(rows) == len(front.points)
    for number, (row, point) in enumerate(zip(rows, front.points, strict=True)):
        shown = dict(zip(titles, row, strict=True))
        assert shown["network"].split()[0] == f"#{number + 1}"
        assert shown["parameters"] == str(int(point.parameters))
        for title, value in {
            "latency, ms": point.latency_ms,
            "low, ms": point.latency_low,
            "high, ms": point.latency_high,
            "predicted, ms": point.predicted_latency_ms,
            "median, ms": point.median_ms,
            "p90, ms": point.p90_ms,
            "p99, ms": point.p99_ms,
            "one by one, images/s": point.throughput,
            "MMACs": point.macs / 1e6,
            "model, MB": point.model_mb,
            "memory, MB": point.peak_memory_mb,
            "validation, %": point.val_accuracy,
            "test, %": test.accuracy[number],
        }.items():
            assert float(shown[title]) == pytest.approx(value, rel=6e-3), title
    (marked,) = table.all("tr", "marked")
    assert marked.text.startswith(f"#{front.chosen + 1} chosen")
    over = [row[0] for row in rows if "over budget" in row[0]]
    assert len(over) == sum(p.latency_ms > front.budget_ms for p in front.points)


def test_one_cost_alone_is_shown_to_mislead(page: Element) -> None:
    text = page.part("costs").text
    assert text.count("Kendall's tau") == 2
    assert "fewer parameters than" in text or "No two points" in text


def test_every_block_has_its_box(page: Element, data: ReportData) -> None:
    assert data.network is not None
    part = page.part("network")
    boxes = part.all("li", "block")
    assert len(boxes) == len(data.network.blocks)
    for box, block in zip(boxes, data.network.blocks, strict=True):
        assert block.slot in box.text
        if not block.present:
            assert "skipped" in box.text and "skipped" in (box.attributes["class"] or "")
            continue
        assert block.kind in box.text
        assert "×".join(map(str, block.output)) in box.text
        assert all(detail in box.text for detail in block.details)
        assert "% MACs" in box.text and "% time" in box.text
    stages = [stage.all("b")[0].text for stage in part.all("ol", "stages")[0].children]  # type: ignore[union-attr]
    assert stages == ["stem", "s1", "s2", "s3", "s4", "head", "classifier"]
    for kind in ("bar-macs", "bar-time"):
        shares = [float(share.text.split("%")[0]) for share in part.all("span", kind)]
        assert sum(shares) == pytest.approx(100, abs=0.6)


def test_training_curves_shade_the_phases(page: Element) -> None:
    accuracy, loss = page.part("training").all("figure")
    for svg in accuracy.all("svg"):
        points = [line.attributes["points"] or "" for line in svg.all("polyline")]
        assert [len(p.split()) for p in points] == [48, 48]
        assert len(svg.all("polygon")) == 4
    names = [note.text for note in loss.all("svg")[0].all("text", "note")]
    assert names == ["largest", "kernel", "depth", "width"]


def test_the_tables_own_error(page: Element, data: ReportData) -> None:
    (table,) = data.tables
    (figures,) = table.accuracy.values()
    row = page.part("latency").all("tbody")[0].all("tr")[0].children
    cells = [cell.text for cell in row]  # type: ignore[union-attr]
    assert cells[:3] == ["8", "15", f"{100 * (figures['mape'] or 0):.1f}"]
    assert cells[8] == f"{figures['kendall']:.3f}"


def test_the_search_says_when_it_settled(page: Element) -> None:
    text = page.part("search").text
    assert "5,000 evaluations" in text and "99% of the final value after" in text
    assert "measuring the candidates41.9" in text


def points_of(line: Element) -> list[tuple[float, ...]]:
    pairs = (line.attributes["points"] or "").split()
    return [tuple(map(float, pair.split(","))) for pair in pairs]


def test_every_searcher_has_its_line_and_band(page: Element, data: ReportData) -> None:
    assert data.curves is not None
    figure, growth, _ = page.part("search").all("figure")
    legend = [entry.text for entry in figure.all("li")]
    assert legend == ["nsga2, 5 seeds", "random, 5 seeds", "x, 2 seeds"]
    for svg in figure.all("svg"):
        lines, bands = svg.all("polyline", "series"), svg.all("polygon", "series-band")
        assert [line.classes[-1] for line in lines] == ["series-2", "series-1", "series-0"]
        assert [band.classes[-1] for band in bands] == ["series-0", "series-1"]
        assert {len(points_of(line)) for line in lines} == {len(data.curves.numbers)}
        assert {len(points_of(band)) for band in bands} == {2 * len(data.curves.numbers)}
    caption = figure.all("figcaption")[0].text
    assert "bands their 95% intervals" in caption and "nsga2 is where random ends (" in caption
    assert len(growth.all("svg")[0].all("polyline", "series")) == 4


def test_a_front_in_the_making_climbs_in_steps(page: Element, data: ReportData) -> None:
    assert data.front is not None and data.front.growth is not None
    figure = page.part("search").all("figure")[1]
    legend = [entry.text for entry in figure.all("li")]
    said = [f"after {n} evaluations" for n in ("500", "1,250", "2,500", "5,000")]
    assert legend == [*said, "budget"]
    for svg in figure.all("svg"):
        (budget,) = svg.all("line", "budget")
        last = svg.all("circle", "grown-3")
        assert len(last) == len(data.front.growth.fronts[-1][1])
        for line, (_, points) in zip(
            svg.all("polyline", "series"), data.front.growth.fronts, strict=True
        ):
            steps = points_of(line)
            assert len(steps) == 2 * len(points)
            turns = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(steps)]
            assert all(dx == 0 or dy == 0 for dx, dy in turns), "never aslant"
            assert all(dx >= 0 >= dy for dx, dy in turns), "to the right and upwards"
            assert steps[-1][0] == pytest.approx(float(budget.attributes["x1"] or 0), abs=0.1)


def test_what_each_choice_costs_and_buys(page: Element, data: ReportData) -> None:
    assert data.front is not None and data.front.neighbours is not None
    changes = data.front.neighbours.changes
    part = page.part("network")
    first, further = part.all("table")
    rows = [row for table in (first, further) for row in table.all("tbody")[0].all("tr")]
    assert len(first.all("tbody")[0].all("tr")) == 20 and len(rows) == len(changes) == 30
    assert [len(details.all("table")) for details in part.all("details")] == [1]
    heads = [cell.text for cell in first.all("thead")[0].all("th")]
    assert heads == ["choice", "change", "Latency, ms", "", "Predicted accuracy, points", ""]
    shown = {}
    most = [max(abs(getattr(c, name)) for c in changes) for name in ("latency_ms", "score")]
    for row in rows:
        choice, change, ms, ms_bar, score, score_bar = row.children
        values = [float(cell.text.replace("\u2212", "-")) for cell in (ms, score)]  # type: ignore[union-attr]
        shown[choice.text, change.text.replace("\u00a0", " ")] = values  # type: ignore[union-attr]
        for value, cell, largest in zip(values, (ms_bar, score_bar), most, strict=True):
            (fill,) = cell.all("span", "fill")  # type: ignore[union-attr]
            assert fill.classes[1] == ("less" if value < 0 else "more") or value == 0
            width = float((fill.attributes["style"] or "")[len("width:") : -1])
            assert width == pytest.approx(50 * abs(value) / largest, abs=0.6)
    assert len(shown) == len(changes)
    for change in changes:
        found = shown[change.choice, f"{change.now} → {change.instead}"]
        assert found == pytest.approx([change.latency_ms, change.score], abs=0.0051 * max(most))
    effects = [max(abs(a) / most[0], abs(b) / most[1]) for a, b in shown.values()]
    assert effects == pytest.approx(sorted(effects, reverse=True), abs=0.01)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([(-0.1, -0.5), (0.2, 0.4)], "none of them is both no slower and better"),
        ([(-0.1, -0.5), (9.0, 0.4)], "1 of them would exceed the budget by prediction"),
        ([(-0.1, -0.5), (9.0, 0.4)], "By prediction none of them is better within the budget"),
        ([(-0.1, 0.5), (-0.2, 0.31)], "2 would be no slower and better by prediction, by up to"),
    ],
)
def test_neighbours_are_summed_up(
    data: ReportData, pairs: list[tuple[float, float]], said: str
) -> None:
    assert data.front is not None
    changes = tuple(Change("depth", "2", str(k), *pair) for k, pair in enumerate(pairs))
    found = Neighbours("predicted accuracy, %", 1.0, 80.0, changes)
    front = replace(data.front, budget_ms=2.0, neighbours=found)
    part = parse(render(replace(data, front=front))).part("network")
    assert said in part.text and len(part.all("table")) == 1


def test_neighbours_that_change_nothing(data: ReportData) -> None:
    assert data.front is not None
    same = Neighbours("MACs, million", 1.0, -3.0, (Change("width", "1", "2", 0.0, 0.0),))
    part = parse(render(replace(data, front=replace(data.front, neighbours=same)))).part("network")
    assert [cell.text for cell in part.all("td")] == ["1\u00a0→\u00a02", "0", "", "0", ""]
    assert part.all("thead")[0].all("th")[4].text == "MACs, million"
    none = replace(data.front, neighbours=replace(same, changes=()))
    assert not parse(render(replace(data, front=none))).part("network").all("table")


def test_an_older_search_has_the_curve_of_its_front_alone(data: ReportData) -> None:
    assert data.front is not None
    front = replace(data.front, growth=None, elites=None, neighbours=None)
    page = parse(render(replace(data, front=front, curves=None)))
    (figure,) = page.part("search").all("figure")
    assert [len(svg.all("polyline", "line-a")) for svg in figure.all("svg")] == [1, 1]
    assert "share of the last" in figure.text
    assert not page.part("network").all("table")


@pytest.mark.parametrize("numbers", [(1,), (10, 20), (10, 5000)])
def test_short_curves(data: ReportData, numbers: tuple[int, ...]) -> None:
    curves = tuple(Curve("nsga2", seed, (0.0,) * len(numbers)) for seed in range(4))
    one = Curves(("error",), (1.0,), numbers, curves)
    part = parse(render(replace(data, curves=one))).part("search")
    assert "nan" not in str([line.attributes for line in part.all("polyline")])
    assert part.all("li")[0].text == "nsga2, 4 seeds"


@pytest.mark.parametrize(
    ("rounds", "settled", "said"),
    [
        ((), False, ""),
        ((0.012,), True, "One round of search and measurement: predictions of the front were off "
         "by at most 1.2%. They hold: by the last of these tables every point is within 2%"),
        ((0.05, 0.031), False, "2 rounds of search and measurement, each by a table corrected by "
         "what was measured before: predictions of the front were off by at most 5.0%, 3.1%. Not "
         "every point is within 2% of its measurement"),
    ],
)  # fmt: skip
def test_rounds_are_told(
    data: ReportData, rounds: tuple[float, ...], settled: bool, said: str
) -> None:
    assert data.front is not None and data.front.rounds == (0.043, 0.0181) and data.front.settled
    front = replace(data.front, rounds=rounds, settled=settled)
    text = " ".join(parse(render(replace(data, front=front))).part("prediction").text.split())
    assert said in text and ("round" in text) == bool(rounds)


def test_provenance(page: Element, whole: Run) -> None:
    facts = page.part("provenance").all("dl")[0]
    shown = {div.all("dt")[0].text: div.all("dd")[0].text for div in facts.all("div")}
    front = json.loads(whole.front.read_text())
    assert shown["Report"] == "2026-11-21 12:30 UTC"
    assert shown["Space identity"] == front["identity"]
    assert front["weights"] in shown["Weights"]
    assert shown["Data fingerprint"] == "d" * 128
    assert DEVICE.cpu in shown["Measured on"] and "threads 1" in shown["Measured on"]
    assert "search 7" in shown["Seeds"]
    assert "Python 3." in shown["Versions"] and "torch 2" in shown["Versions"]
    commands, config = (code.text for code in page.part("provenance").all("code"))
    assert f"nas search '{whole.folder}' --latency-ms {front['budget_ms']!r}" in commands
    assert "val_fraction: 0.1" in config


def test_names_are_escaped(page: Element, data: ReportData) -> None:
    assert all(name in page.part("provenance").text for name in CLASSES)
    assert "<b>bird</b>" not in render(data)
    evil = replace(data, folder='</title><script>alert("x")</script>', warnings=("<i>&</i>",))
    evil = replace(evil, front=None)
    parsed = parse(render(evil))
    assert not parsed.all("script") and not parsed.all("i")
    assert "<script>" in parsed.all("p", "eyebrow")[0].text
    assert parsed.all("p", "warning")[0].text == "<i>&</i>"


def commands(page: Element, part: str) -> str:
    return " ".join(p.text for p in page.part(part).all("p", "missing"))


@pytest.mark.parametrize(
    ("remove", "parts", "command"),
    [
        ({"test": None}, ["frontier", "costs"], "nas report"),
        (
            {"front": None, "test": None, "network": None},
            ["frontier", "network", "costs", "search"],
            "nas search",
        ),
        ({"tables": ()}, ["latency"], "nas measure"),
        ({"log": ()}, ["training"], "nas train"),
        ({"front": None, "tables": ()}, ["prediction"], "nas measure"),
        ({"trained": False}, ["training"], "--resume"),
    ],
)
def test_what_is_missing_is_said_with_the_command_that_makes_it(
    data: ReportData, remove: dict[str, object], parts: list[str], command: str
) -> None:
    page = parse(render(replace(data, **remove)))  # type: ignore[arg-type]
    assert [s.attributes["aria-labelledby"] for s in page.all("section")] == PARTS
    for part in parts:
        assert command in commands(page, part), part


def test_an_empty_run_is_a_page_too(data: ReportData) -> None:
    empty = ReportData(folder="runs/new", provenance=data.provenance)
    page = parse(render(empty))
    assert page.all("h1")[0].text == "No network is chosen: not trained yet"
    for part in PARTS[:-1]:
        assert commands(page, part), part
    trained = parse(render(replace(empty, trained=True)))
    assert "trained, not searched yet" in trained.all("h1")[0].text
    assert "nas search runs/new --latency-ms BUDGET" in trained.all("header")[0].text


@pytest.mark.parametrize(
    "change",
    [
        lambda p: replace(p, latency_low=None, latency_high=None, val_images=0),
        lambda p: replace(p, predicted_latency_ms=None, predicted_error=None),
        lambda p: replace(p, median_ms=None, p90_ms=None, throughput=None, peak_memory_mb=None),
    ],
)
def test_points_that_lack_measurements(data: ReportData, change: Callable) -> None:
    assert data.front is not None
    points = tuple(change(point) for point in data.front.points)
    page = parse(render(replace(data, front=replace(data.front, points=points))))
    assert len(page.part("frontier").all("circle", "val")) == 2 * len(points)


def test_a_front_of_one_point(data: ReportData) -> None:
    assert data.front is not None
    front = replace(data.front, points=(data.front.best,), chosen=0, dominated=(), cloud=())
    page = parse(render(replace(data, front=front, test=None, tables=())))
    assert "Chosen: " in page.all("h1")[0].text


def test_a_noisy_table_says_so(data: ReportData) -> None:
    noisy = replace(data.tables[0], campaign={**data.tables[0].campaign, "noisy": True})
    assert "too noisy" in parse(render(replace(data, tables=(noisy,)))).part("latency").text
    unknown = replace(data.tables[0], accuracy={})
    assert "error is not known" in render(replace(data, tables=(unknown,)))


def test_it_is_written_as_one_file(data: ReportData, tmp_path: Path) -> None:
    write_report(data, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(data)
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]
    assert (tmp_path / "report.html").stat().st_size < 1e6


def test_a_full_disk_keeps_the_old_report(
    data: ReportData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NasLoopError, match="No space left on device"):
        write_report(data, path)
    assert path.read_text() == "old"
