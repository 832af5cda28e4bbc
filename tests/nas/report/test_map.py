"""The map of elites: cells where they belong, darker where better."""

from __future__ import annotations

import re

import numpy as np

from nas.report.draw.chart import BOTTOM, LEFT, RIGHT, TOP, WIDE
from nas.report.draw.map import TALLEST, map_of_elites
from nas.search.archive import Archive, Dimension, archive
from tests.nas.report.page_parser import Element, parse

MACS = Dimension("million MACs", np.array([1.0, 10.0, 100.0]), lambda rows: rows[:, 0])
LAYERS = Dimension("layers", np.array([0.5, 1.5, 2.5, 3.5]), lambda rows: rows[:, 1])
THIRD = Dimension("third", np.array([-0.5, 0.5, 1.5]), lambda rows: rows[:, 2])

ROWS = np.array([[2, 1, 0], [3, 1, 1], [20, 1, 0], [30, 3, 1], [50, 2, 0]])
ERRORS = np.array([9.0, 8.0, 7.0, 6.0, 1.0])
# The last breaks a limit.
EXCESS = np.array([0.0, 0.0, 0.0, 0.0, 0.3])


def made(*dimensions: Dimension) -> Archive:
    return archive(dimensions, ROWS, ERRORS, EXCESS)


def wide(elites: Archive) -> Element:
    return parse(map_of_elites(elites, "error, %")).all("svg")[0]


def numbers(rect: Element) -> list[float]:
    return [float(rect.attributes[name] or 0) for name in ("x", "y", "width", "height")]


def share(element: Element) -> int:
    """Per cent of the map's colour."""
    found = re.search(r"var\(--a\) (\d+)%", element.attributes["style"] or "")
    assert found
    return int(found[1])


def test_a_cell_stands_where_its_edges_are() -> None:
    rects = wide(made(MACS, LAYERS)).all("rect")
    # MACs grow by factors: a logarithmic axis, halved by its two cells; layers have thirds.
    half, third = (WIDE - LEFT - RIGHT) / 2, (400 - TOP - BOTTOM) / 3
    places = [(0, 0), (1, 0), (1, 1), (1, 2)]
    expected = [[LEFT + half * x, 400 - BOTTOM - third * (y + 1), half, third] for x, y in places]
    np.testing.assert_allclose([numbers(rect) for rect in rects], expected, atol=0.01)


def test_a_dimension_of_few_values_has_a_row_for_each_and_no_other_tick() -> None:
    sizes = Dimension(
        "resolution",
        np.array([5.0, 15.0, 20.0, 60.0]),
        lambda rows: np.array([10, 16, 50])[rows[:, 1] - 1],
        values=np.array([10.0, 16.0, 50.0]),
    )
    svg = wide(made(MACS, sizes))
    rects = [numbers(rect) for rect in svg.all("rect")]
    np.testing.assert_allclose([rect[3] for rect in rects], TALLEST, atol=0.01)
    bottom = TOP + 3 * TALLEST
    tops = [bottom - TALLEST * row for row in (1, 1, 2, 3)]
    np.testing.assert_allclose([rect[1] for rect in rects], tops, atol=0.01)
    ticks = [text for text in svg.all("text", "tick") if "end" in text.classes]
    assert [tick.text for tick in ticks] == ["10", "16", "50"]
    middles = [float(tick.attributes["y"] or 0) - 4 for tick in ticks]
    np.testing.assert_allclose(
        middles, [bottom - TALLEST * (row + 0.5) for row in range(3)], atol=0.1
    )
    assert ", resolution 50; row" in svg.all("rect")[-1].text


def test_the_better_the_darker_and_beyond_the_limits_hollow() -> None:
    eight, seven, beyond, six = wide(made(MACS, LAYERS)).all("rect")
    assert share(eight) < share(seven) < share(six) == 100
    assert beyond.classes == ["cell", "hollow"]
    assert beyond.attributes.get("style") is None
    assert "beyond the limits" in beyond.text
    assert six.text == ("error, % 6.00: million MACs 10.0 to 100, layers 2.50 to 3.50; row 30 3 1")


def test_the_legend_has_the_shades_of_the_cells() -> None:
    page = parse(map_of_elites(made(MACS, LAYERS), "error, %"))
    keys = page.all("ul", "legend")[0].all("li")
    assert [key.text for key in keys] == ["error, % ≤ 6.00", "≤ 7.00", "≤ 8.00"]
    shares = [share(key.all("span")[0]) for key in keys]
    cells = wide(made(MACS, LAYERS)).all("rect")
    assert shares == sorted((share(c) for c in cells if "hollow" not in c.classes), reverse=True)


def test_behind_a_third_dimension_the_best_is_seen() -> None:
    elites = made(MACS, LAYERS, THIRD)
    assert len(elites) == 5
    texts = [rect.text for rect in wide(elites).all("rect")]
    assert len(texts) == 4
    assert texts[0].startswith("error, % 8.00")


def test_many_cells_have_six_shades_of_about_as_many() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.uniform(1, 100, 400), rng.integers(1, 4, 400)]).astype(int)
    fine = Dimension("x", np.linspace(0, 100, 26), lambda rows: rows[:, 0])
    elites = archive((fine, LAYERS), rows, rng.random(400), np.zeros(400))
    shares = [share(rect) for rect in wide(elites).all("rect")]
    counts = np.unique(shares, return_counts=True)[1]
    assert len(counts) == 6
    assert counts.max() - counts.min() <= 1


def test_one_dimension_is_drawn_as_steps() -> None:
    svg = wide(made(MACS))
    steps = svg.all("line", "line")
    assert len(steps) == 2 and not svg.all("rect")
    half = (WIDE - LEFT - RIGHT) / 2
    ends = [[float(line.attributes[x] or 0) for x in ("x1", "x2")] for line in steps]
    np.testing.assert_allclose(ends, [[LEFT, LEFT + half], [LEFT + half, WIDE - RIGHT]], atol=0.01)
    low, high = (float(line.attributes["y1"] or 0) for line in steps)
    assert low < high, "an error of 8 stands above one of 6"


def test_a_map_without_any_network_within_the_limits_is_drawn() -> None:
    elites = archive((MACS, LAYERS), ROWS, ERRORS, np.ones(5))
    page = parse(map_of_elites(elites, "error, %"))
    assert not page.all("ul", "legend")
    assert all("hollow" in rect.classes for rect in page.all("rect"))


def test_words_say_what_is_to_be_seen() -> None:
    page = parse(map_of_elites(made(MACS, LAYERS), "error, %"))
    assert page.all("figcaption")[0].text == (
        "The best network found of each kind, by million MACs and layers: 4 of 6 cells have one. "
        "The darker, the better. What is hollow is beyond the limits."
    )
    assert (
        page.all("svg")[0]
        .all("title")[0]
        .text.startswith("Map of 4 kinds of networks; the best is error, % 6.00")
    )


def test_a_caption_of_ones_own_is_escaped() -> None:
    page = map_of_elites(made(MACS, LAYERS), "error, %", "own <words>")
    assert "own &lt;words&gt;" in page
    assert "The best network" not in page
