"""Fits that are kept: each once, of what they belong to."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from predictors.evaluation import Measures
from predictors.fits import Fits, digest
from search_spaces.errors import ArtefactError

FOUND = Measures(0.5, 0.25, 0.125, math.nan)


def never() -> Measures:
    raise AssertionError("known already")


def test_what_was_measured_before_an_interruption_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "fits.json"
    fits = Fits(path, {"data": "a"})
    fits.measured("data", "gp", 25, 0, lambda: FOUND)
    with pytest.raises(AssertionError):
        fits.measured("data", "gp", 25, 1, never)
    again = Fits(path, {"data": "a", "more": "b"})
    known = again.measured("data", "gp", 25, 0, never)
    assert (known.kendall, known.regret) == (0.5, 0.125) and math.isnan(known.coverage)
    other = Measures(1 / 3, 0, 0, 0)
    for name, size, seed in (("gp", 25, 1), ("gp", 26, 0), ("mlp", 25, 0)):
        assert again.measured("data", name, size, seed, lambda: other).kendall == 0.333333
    assert {name: [*sizes] for name, sizes in again.known("data").items()} == {
        "gp": [25, 26],
        "mlp": [25],
    }
    assert len(again.known("data")["gp"][25]) == 2 and again.known("more") == {}
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_fits_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "fits.json"
    Fits(path, {"one": "a", "two": "b"}).save()
    with pytest.raises(ArtefactError, match="fits are of another two; remove the file, or"):
        Fits(path, {"one": "a", "two": "c"})
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"format": 1}))
    with pytest.raises(ArtefactError, match="fits of format 1, not"):
        Fits(path, {})
    for damaged in ("", "[]", "{}", '{"format": 2}', '{"format": 2, "belongs": [], "fits": {}}'):
        path.write_text(damaged)
        with pytest.raises(ArtefactError, match="or damaged; remove it"):
            Fits(path, {})


def test_all_that_measures_depend_on_is_in_the_digest() -> None:
    X, y, p = np.arange(6).reshape(3, 2), np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 2.0])
    same = digest({"space": "s"}, X, y, {"p": p, "q": p + 1})
    assert same == digest({"space": "s"}, X.tolist(), y.tolist(), {"p": p.tolist(), "q": p + 1})
    others = [
        digest({"space": "t"}, X, y, {"p": p, "q": p + 1}),
        digest({"space": "s"}, X[::-1], y, {"p": p, "q": p + 1}),
        digest({"space": "s"}, X.reshape(2, 3), y, {"p": p, "q": p + 1}),
        digest({"space": "s"}, X, y + 1, {"p": p, "q": p + 1}),
        digest({"space": "s"}, X, y, {"p": p, "q": p}),
        digest({"space": "s"}, X, y, {"p": p, "r": p + 1}),
        digest({"space": "s"}, X, y, {"p": p}),
    ]
    assert len({same, *others}) == 8
