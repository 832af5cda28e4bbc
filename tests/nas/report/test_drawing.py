"""Elements, numbers, scales and statistics against values by hand."""

from __future__ import annotations

import math

import pytest

from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, pixels, significant
from nas.report.draw.scale import Scale, padded, spread
from nas.report.fronts import Point
from nas.report.statistics import binomial, contradiction


def test_elements_escape_text_and_attributes() -> None:
    made = el("p", "a < b & c", el("b", '"q"'), None, [1, 2.5], title='say "hi" <now>')
    assert made == (
        '<p title="say &quot;hi&quot; &lt;now&gt;">a &lt; b &amp; c<b>&quot;q&quot;</b>12.5</p>'
    )
    assert el("p", Html("<i></i>")) == "<p><i></i></p>"


def test_attributes() -> None:
    made = el("line", x1=1.0, x2=2.345, class_="a", stroke_width=2, hidden=True, id=None, b=False)
    assert made == '<line x1="1" x2="2.35" class="a" stroke-width="2" hidden></line>'
    assert el("meta", charset="utf-8") == '<meta charset="utf-8">'
    assert el("circle", r=10.0) == '<circle r="10"></circle>'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0412345, "0.0412"),
        (0.4, "0.400"),
        (4.126, "4.13"),
        (9.999, "10.00"),
        (412.3, "412"),
        (41234.0, "41200"),
        (-0.5, "-0.500"),
        (0, "0"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_significant(value: float | None, text: str) -> None:
    assert significant(value) == text


def test_fixed_and_pixels() -> None:
    assert [fixed(v) for v in (1.005, 90, -0.001, None, math.inf)] == [
        "1.00", "90.00", "0.00", "–", "–",
    ]  # fmt: skip
    assert [pixels(v) for v in (1.0, 1.26, 100.04)] == ["1", "1.3", "100"]


def test_scales_map_ends_to_ends() -> None:
    scale = Scale(2, 4, 100, 0)
    assert [scale(v) for v in (2, 3, 4)] == [100, 50, 0]
    assert (scale.clamp(9), scale.clamp(0), scale.holds(2.5), scale.holds(5)) == (4, 2, True, False)
    log = Scale(0.1, 10, 0, 200, log=True)
    assert [log(v) for v in (0.1, 1, 10)] == pytest.approx([0, 100, 200])


@pytest.mark.parametrize(
    ("low", "high", "about", "ticks"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (71.2, 85.9, 6, [72, 74, 76, 78, 80, 82, 84]),
        (0.19, 0.46, 5, [0.2, 0.25, 0.3, 0.35, 0.4, 0.45]),
        (-1.1, 1.1, 4, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_linear_ticks(low: float, high: float, about: int, ticks: list[float]) -> None:
    assert Scale(low, high, 0, 1).ticks(about) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.08, 0.9, [0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7]),
        (10, 5000, [10, 20, 50, 100, 200, 500, 1000, 2000, 5000]),
        (1, 20000, [1, 10, 100, 1000, 10000]),
    ],
)
def test_log_ticks(low: float, high: float, ticks: list[float]) -> None:
    assert Scale(low, high, 0, 1, log=True).ticks() == pytest.approx(ticks)


def test_ranges() -> None:
    assert padded([0, 10], 0.1) == (-1, 11)
    assert padded([5, 5], 0.1) == (4.5, 5.5)
    assert padded([0]) == (-1, 1)
    assert padded([1, 100], 0.5, log=True) == pytest.approx((0.1, 1000))
    assert padded([2, 2], 0.5, log=True) == pytest.approx((2 / 1.5, 3))
    assert spread([1, 4]) and not spread([1, 2]) and not spread([0, 4])


def test_wilsons_interval() -> None:
    # Wilson's formula by hand: 90 of 100 is 0.9, z = 1.96.
    assert binomial(90, 100) == pytest.approx((82.56, 94.48), abs=0.01)
    assert binomial(100, 10) == pytest.approx((72.25, 100), abs=0.01)
    assert binomial(0, 10)[0] == 0


def point(macs: float, ms: float, error: float = 0.0) -> Point:
    return Point(ms, 90, macs, 1, latency_low=ms - error, latency_high=ms + error)


def test_the_plainest_contradiction_is_found() -> None:
    points = [point(10, 1.0), point(5, 1.5), point(20, 0.9), point(9, 1.05)]
    found = contradiction(points, lambda p: p.macs)
    assert found is not None and (found.cheap, found.costly) == (1, 2)
    assert (found.cost_ratio, found.latency_ratio) == pytest.approx((4, 1.5 / 0.9))


def test_noise_is_no_contradiction() -> None:
    assert contradiction([point(10, 1.0, 0.1), point(5, 1.1, 0.1)], lambda p: p.macs) is None
    assert contradiction([point(5, 1.0), point(10, 2.0)], lambda p: p.macs) is None
