"""What the figures show, read off the page and computed here again."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from scipy.stats import norm, t

from nas.report import ReportData
from tests.nas.report.page_parser import Element


def heights(svg: Element) -> Callable[[float], float]:
    """From pixels to the values of the vertical axis, as its ticks tell."""
    lines = [float(line.attributes["y1"] or 0) for line in svg.all("line", "grid")]
    ticks = [text for text in svg.all("text", "tick") if "end" in text.classes]
    slope, start = np.polyfit(lines, [float(text.text) for text in ticks], 1)
    return lambda pixel: float(start + slope * pixel)


def wilson(percent: float, images: int) -> list[float]:
    """The shares in percent that are 1.96 of their own deviations away from what was seen."""
    seen, z = percent / 100, norm.ppf(0.975)
    # (p - seen)^2 = z^2 p (1 - p) / images
    roots = np.roots([1 + z**2 / images, -(2 * seen + z**2 / images), seen**2])
    return sorted((100 * roots).tolist())


def test_bars_of_accuracy_are_wilsons_intervals(page: Element, data: ReportData) -> None:
    front, test = data.front, data.test
    assert front is not None and test is not None
    expected = {
        "val": [wilson(float(p.val_accuracy or 0), p.val_images) for p in front.points],
        "test": [wilson(accuracy, test.images) for accuracy in test.accuracy],
    }
    for svg in page.part("frontier").all("svg"):
        height = heights(svg)
        for kind, intervals in expected.items():
            bars = [bar.attributes for bar in svg.all("line", "error") if kind in bar.classes]
            upright = [bar for bar in bars if bar["x1"] == bar["x2"]]
            ends = [[height(float(bar[y] or 0)) for y in ("y1", "y2")] for bar in upright]
            np.testing.assert_allclose(ends, intervals, atol=0.005)


def test_predicted_against_measured_shows_every_network(page: Element, data: ReportData) -> None:
    assert data.front is not None
    points = data.front.points
    held = [n for table in data.tables for n in table.networks if not n.fitted]
    assert len(points) > 5 and len(held) > 5
    latency = {
        "val": [(p.predicted_latency_ms, p.latency_ms) for p in points],
        "held": [(n.predicted_ms, n.measured_ms) for n in held],
    }
    accuracy = {"val": [(100 - (p.predicted_error or 0), p.val_accuracy) for p in points]}
    figures = page.part("prediction").all("figure")
    for figure, pairs in zip(figures, (latency, accuracy), strict=True):
        for svg in figure.all("svg"):
            assert len(svg.all("circle")) == sum(len(of_kind) for of_kind in pairs.values())
            for kind, expected in pairs.items():
                said = [re.findall(r"[\d.]+(?= ms| %)", c.text) for c in svg.all("circle", kind)]
                shown = np.array(said, dtype=float)
                np.testing.assert_allclose(shown, np.array(expected, dtype=float), rtol=6e-3)


def test_captions_say_how_far_predictions_are_off(page: Element, data: ReportData) -> None:
    assert data.front is not None
    points = data.front.points
    held = [n for table in data.tables for n in table.networks if not n.fitted]
    front_off = [abs((p.predicted_latency_ms or 0) - p.latency_ms) / p.latency_ms for p in points]
    held_off = [abs(n.predicted_ms - n.measured_ms) / n.measured_ms for n in held]
    latency, accuracy = (c.text for c in page.part("prediction").all("figcaption"))
    assert (
        f"(MAPE): {100 * sum(front_off) / len(points):.1f}% on the {len(points)} networks of the "
        f"front; {100 * sum(held_off) / len(held):.1f}% on {len(held)} networks that no fit has "
        "seen."
    ) in latency
    points_off = [abs(100 - (p.predicted_error or 0) - (p.val_accuracy or 0)) for p in points]
    mean = sum(points_off) / len(points)
    assert f"mean absolute error: {mean:.2f} points on {len(points)} networks" in accuracy


def test_bands_are_students_intervals_of_the_seeds(page: Element, data: ReportData) -> None:
    assert data.curves is not None
    most = max(one.volumes[-1] for one in data.curves.curves)
    figure = page.part("search").all("figure")[0]
    for svg in figure.all("svg"):
        height = heights(svg)
        for series, name in (("series-0", "nsga2"), ("series-1", "random")):
            of_name = [one.volumes for one in data.curves.curves if one.searcher == name]
            shares = np.array(of_name) / most
            n = len(shares)
            low, high = t.interval(0.95, n - 1, shares.mean(0), shares.std(0, ddof=1) / np.sqrt(n))
            (band,) = [b for b in svg.all("polygon", "series-band") if series in b.classes]
            (line,) = [one for one in svg.all("polyline", "series") if series in one.classes]
            drawn = [
                [
                    height(float(pair.split(",")[1]))
                    for pair in (mark.attributes["points"] or "").split()
                ]
                for mark in (band, line)
            ]
            np.testing.assert_allclose(drawn[0], [*high, *low[::-1]], atol=0.003)
            np.testing.assert_allclose(drawn[1], shares.mean(0), atol=0.003)
