"""The pace of another campaign, on a device that slows large networks down and small ones not."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import search_spaces
from latency_lut import Effort, LatencyTable, Model, measure, measure_networks, network_model
from latency_lut.latency import Latency
from latency_lut.pace import ANCHORS, Anchor, Pace, anchors, pace_of
from latency_lut.populations import resolutions_of
from latency_lut.references import NAMES, references
from latency_lut.table_file import VERSION, fingerprint_of, pace_in
from search_spaces.errors import ArtefactError
from tests.latency_lut.synthetic import SyntheticDevice, tiny_space, true_ms

SPACE = tiny_space()
SLOWER = 1.2


def crowded(slower: float) -> SyntheticDevice:
    """A device on which all but the references take ``slower`` times as long."""
    known = {model.name: true_ms(model.content()) for model in references()}
    return SyntheticDevice(known=known, cost=lambda content: slower * true_ms(content))


@functools.cache
def table() -> LatencyTable:
    return measure(
        SPACE,
        crowded(1.0),
        rng=np.random.default_rng(0),
        effort=Effort(rounds=4, runs=3),
        whole_networks=12,
        held_out=4,
    )


def others(n: int) -> np.ndarray:
    known = {network.row for network in table().networks}
    rows = SPACE.sample(200, np.random.default_rng(3))
    return np.array([row for row in rows if tuple(row) not in known])[:n]


def timed(rows: np.ndarray, pace: Pace | None) -> list[Any]:
    models = [network_model(str(i), SPACE.lower_row(row)) for i, row in enumerate(rows)]
    sides = {str(i): int(s) for i, s in enumerate(resolutions_of(SPACE, SPACE.index(rows)))}
    return measure_networks(
        models,
        crowded(SLOWER),
        rng=np.random.default_rng(0),
        effort=Effort(rounds=4, runs=3),
        pace=pace,
        sides=sides,
        memory=False,
    )


def test_anchors_see_what_the_references_do_not() -> None:
    rows = others(6)
    truth = [true_ms(network_model("m", SPACE.lower_row(row)).content()) for row in rows]
    with_anchors = timed(rows, pace_of(table(), rows))
    assert [one.name for one in with_anchors] == [str(i) for i in range(6)], "no anchor among them"
    np.testing.assert_allclose([one.latency_ms for one in with_anchors], truth, rtol=1e-3)
    np.testing.assert_allclose([one.pace for one in with_anchors], 1 / SLOWER, rtol=1e-3)
    by_references = timed(rows, Pace(table().campaign.usual_ms))
    np.testing.assert_allclose(
        [one.latency_ms for one in by_references], SLOWER * np.array(truth), rtol=1e-3
    )
    assert all(one.pace is None for one in timed(rows, None))


def test_anchors_are_networks_of_the_table_like_those_that_are_measured() -> None:
    rows = others(40)
    sides = resolutions_of(SPACE, SPACE.index(rows))
    costs = SPACE.macs(rows)
    chosen = pace_of(table(), rows).anchors
    by_name = {f"network {n.resolution} {'.'.join(map(str, n.row))}": n for n in table().networks}
    assert len({anchor.model.name for anchor in chosen}) == 2 * ANCHORS
    for side in (16, 24):
        here = [by_name[anchor.model.name] for anchor in chosen if anchor.side == side]
        assert len(here) == ANCHORS and all(network.resolution == side for network in here)
        macs = SPACE.macs(np.array([network.row for network in here]))
        wanted = costs[sides == side]
        known = SPACE.macs(np.array([n.row for n in table().networks if n.resolution == side]))
        assert macs.min() == known[np.abs(np.log(known / wanted.min())).argmin()]
    # Around one network: the nearest.
    known = np.array([n.row for n in table().networks if n.resolution == 16])
    near = anchors(SPACE, table().networks, {16: [1e6]})
    distances = np.sort(np.abs(np.log(SPACE.macs(known) / 1e6)))
    found = [by_name[anchor.model.name].row for anchor in near]
    np.testing.assert_allclose(
        np.sort(np.abs(np.log(SPACE.macs(np.array(found)) / 1e6))), distances[:ANCHORS]
    )
    assert anchors(SPACE, table().networks, {20: [1e6]}) == ()
    few = [n for n in table().networks if n.resolution == 16][:2]
    assert len(anchors(SPACE, few, {16: [1e6]})) == 2


def test_the_factor_is_the_median_with_its_error() -> None:
    def latency(ms: float) -> Latency:
        return Latency(ms, 0.0, (ms, ms), ms, 1)

    logs = np.array([0.1, 0.11, 0.09, 0.5, 0.1])
    beside = [Anchor(Model(str(i), bytes), 16, float(np.exp(x))) for i, x in enumerate(logs)]
    here = {str(i): latency(1.0) for i in range(len(logs))}
    usual = dict.fromkeys(NAMES, 2.0)
    pace = Pace(dict.fromkeys(NAMES, 3.0), tuple(beside))
    factor = pace.factor(16, here, usual)
    assert factor.value == pytest.approx(np.exp(0.1)), "one anchor that went wrong moves it not"
    assert factor.error == pytest.approx(1.2533 * logs.std(ddof=1) / 5**0.5, rel=1e-4)
    for side in (24, None):
        assert pace.factor(side, here, usual).value == pytest.approx(1.5)
        assert pace.factor(side, here, usual).error == pytest.approx(0.0)
    alone = Pace(pace.usual_ms, (beside[0],)).factor(16, here, usual)
    assert (alone.value, alone.error) == (pytest.approx(np.exp(0.1)), 0.0)


def test_the_error_of_the_pace_is_in_that_of_the_latency() -> None:
    (row,) = others(1)
    pace = pace_of(table(), row[None])
    first = pace.anchors[0]
    wrong = Anchor(first.model, first.side, 1.1 * first.there_ms)
    (one,) = timed(row[None], Pace(pace.usual_ms, (wrong, *pace.anchors[1:])))
    assert one.latency_ms * 0.01 < one.latency.error_ms < one.latency_ms * 0.05
    (exact,) = timed(row[None], pace)
    assert exact.latency.error_ms < 1e-3 * exact.latency_ms


def test_a_file_tells_its_pace_without_its_space(tmp_path: Path) -> None:
    space = search_spaces.get("nas-bench-macro")
    device = SyntheticDevice()
    of_macro = measure(
        space,
        device,
        rng=np.random.default_rng(0),
        effort=Effort(rounds=2, runs=1),
        whole_networks=8,
        held_out=2,
    )
    path = tmp_path / "t.json"
    of_macro.save(path)
    found = pace_in(path, 32, 1e8)
    assert found.usual_ms == of_macro.campaign.usual_ms and len(found.anchors) == ANCHORS
    by_table = anchors(space, of_macro.networks, {32: [1e8]})
    assert [(a.model.name, a.there_ms) for a in found.anchors] == [
        (a.model.name, pytest.approx(a.there_ms)) for a in by_table
    ]
    assert found.anchors[0].model.content() == by_table[0].model.content()
    assert pace_in(path, 224, 1e8).anchors == ()
    assert fingerprint_of(path) == device.fingerprint()


@pytest.mark.parametrize(
    "other", [{"options": None}, {"options": {"width": 0.5}}, {"name": "gone"}, {"identity": "x"}]
)
def test_without_the_space_there_are_no_anchors(tmp_path: Path, other: dict[str, Any]) -> None:
    path = tmp_path / "t.json"
    path.write_text(_document({"name": "small-images", "identity": "", "options": {}, **other}))
    assert pace_in(path, 16, 1e6).anchors == ()


def _document(space: dict[str, Any]) -> str:
    return json.dumps(
        {
            "format": "nas-loop latency table",
            "version": VERSION,
            "space": space,
            "campaign": {"usual_ms": dict.fromkeys(NAMES, 1.0)},
            "networks": [],
        }
    )


def test_a_table_without_its_networks_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(_document({}).replace('"networks"', '"nets"'))
    with pytest.raises(ArtefactError, match=r"t.json: the latency table is damaged .*networks"):
        pace_in(path, 16, 1e6)
