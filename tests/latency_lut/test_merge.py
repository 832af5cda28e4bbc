"""Tables of several campaigns, on a device whose pace differs from one to the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency_lut import Effort, LatencyTable, measure, merged, network_model
from latency_lut.entries import block_key
from latency_lut.populations import resolutions_of
from search_spaces.errors import ArtefactError
from tests.latency_lut.synthetic import SyntheticDevice, tiny_space, true_ms

SPACE = tiny_space((8, 16, 24))


def run(*resolutions: int, pace: float = 1.0, **device: Any) -> LatencyTable:
    return measure(
        SPACE,
        SyntheticDevice(noise=0.002, pace=lambda _: pace, seed=sum(resolutions), **device),
        rng=np.random.default_rng(0),
        resolutions=resolutions,
        effort=Effort(rounds=4, runs=3),
        whole_networks=12,
        held_out=4,
    )


def rows_at(side: int) -> np.ndarray:
    rows = SPACE.sample(200, np.random.default_rng(1))
    return rows[resolutions_of(SPACE, SPACE.index(rows)) == side][:15]


def truth(rows: np.ndarray) -> np.ndarray:
    models = (network_model(str(i), SPACE.lower_row(row)) for i, row in enumerate(rows))
    return np.array([true_ms(model.content()) for model in models])


def test_a_further_resolution_is_added_at_the_pace_of_the_table(tmp_path: Path) -> None:
    first, second = run(16, pace=2.0), run(24, pace=3.0)
    table = merged(first, second)
    assert list(table.fits) == list(table.accuracy) == [16, 24]
    for side in (16, 24):
        rows = rows_at(side)
        mean, std = table.predict(rows, return_std=True)
        # Off by half if the second campaign's times were taken as they came.
        np.testing.assert_allclose(mean, 2 * truth(rows), rtol=0.02)
        _, own = (first if side == 16 else second).predict(rows, return_std=True)
        np.testing.assert_allclose(std, own if side == 16 else own * 2 / 3, rtol=0.01)
    for network in table.networks:
        expected = 2 * truth(np.array([network.row]))[0]
        assert network.latency.latency_ms == pytest.approx(expected, rel=0.02)
        assert table.entries.keys() >= {
            block_key(n.spec) for n in SPACE.lower_row(network.row).nodes
        }
    assert len(table.networks) == len(first.networks) + len(second.networks)
    (further,) = table.further
    assert further.pace == pytest.approx(2 / 3, rel=0.01) and further.resolutions == (24,)
    assert (table.windows, further.windows) == (first.windows, second.windows)
    assert table.campaigns == (first.campaign, second.campaign)
    table.save(tmp_path / "cpu.json")
    loaded = LatencyTable.load(tmp_path / "cpu.json", SPACE)
    for name in ("campaign", "entries", "networks", "accuracy", "windows", "further"):
        assert getattr(loaded, name) == getattr(table, name), name
    rows = np.concatenate([rows_at(16), rows_at(24)])
    np.testing.assert_allclose(loaded.predict(rows), table.predict(rows), rtol=1e-6)


def test_what_is_measured_again_takes_the_place_of_what_was() -> None:
    first = run(16, 24)
    wrong = run(24)
    table = merged(first, replace(wrong, campaign=replace(wrong.campaign, noisy=True)))
    assert table.noisy and len(table.campaigns) == 2 and table.further[0].resolutions == (24,)
    again = run(24, pace=1.5)
    table = merged(table, again)
    assert [one.campaign for one in table.further] == [again.campaign] and not table.noisy
    assert len(table.networks) == len(first.networks)
    assert [n.resolution for n in table.networks].count(24) == len(again.networks)
    table = merged(table, run(8))
    assert [one.resolutions for one in table.further] == [(24,), (8,)]
    table = merged(table, run(8, 16))
    assert [one.resolutions for one in table.further] == [(24,), (8, 16)]
    assert len(table.campaigns) == 2, "no fit is of the first any more"
    whole = run(8, 16, 24)
    assert merged(table, whole) is whole


def test_only_campaigns_of_one_device_and_space_are_put_together() -> None:
    with pytest.raises(ArtefactError, match="another device or runtime: threads 2 here, 1 there"):
        merged(run(16), run(24, threads=2))
    other = replace(run(24), space=tiny_space((24,)))
    with pytest.raises(ArtefactError, match="are of different spaces"):
        merged(run(16), other)


def test_missing_resolutions_are_named_with_the_command_that_adds_them() -> None:
    table = run(16)
    rows = np.concatenate([rows_at(8), rows_at(16), rows_at(24)])
    with pytest.raises(ArtefactError) as caught:
        table.predict(rows)
    assert str(caught.value) == (
        "the latency table has resolutions 16, not 8, 24; `nas measure RUN --resolution 8 "
        "--resolution 24` adds what is missing to the run's table"
    )
