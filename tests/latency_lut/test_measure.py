"""Tables measured on a device whose true times are known."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency_lut.campaign import Effort
from latency_lut.entries import Entry, block_key, models, recipe
from latency_lut.errors import DeviceError, NoisyError
from latency_lut.journal import Journal
from latency_lut.measure import measure
from latency_lut.plans import Cost, network_model, plan_table
from latency_lut.populations import resolutions_of, sample_at
from latency_lut.references import NAMES
from latency_lut.table import LatencyTable
from search_spaces.errors import ArtefactError, ConfigError, SpaceError
from search_spaces.space import Space
from search_spaces.specs import SKIP, Conv, MBConv, Tensor
from tests.latency_lut.synthetic import SyntheticDevice, every_row, tiny_space, true_ms

SPACE = tiny_space()
EFFORT = Effort(rounds=6, runs=3)


def run(device: SyntheticDevice, **options: Any) -> LatencyTable:
    options = {"whole_networks": 12, "held_out": 10, "effort": EFFORT, **options}
    return measure(SPACE, device, rng=np.random.default_rng(0), **options)


def truth(rows: np.ndarray, cost: Any = true_ms, space: Space = SPACE) -> np.ndarray:
    contents = (network_model(str(i), space.lower_row(r)) for i, r in enumerate(rows))
    return np.array([cost(model.content()) for model in contents])


def test_a_table_predicts_what_the_device_would_measure() -> None:
    device = SyntheticDevice(noise=0.01)
    table = run(device)
    rows = SPACE.sample(40, np.random.default_rng(5))
    mean, std = table.predict(rows, return_std=True)
    error = np.abs(mean / truth(rows) - 1)
    assert error.mean() < 0.01 and error.max() < 0.04
    assert np.mean(error * mean <= 1.645 * std) >= 0.85
    assert set(table.accuracy) == {16, 24}
    for figures in table.accuracy.values():
        assert figures.networks == 10
        assert figures.mape < 0.02 and figures.within_10 == 1
        assert figures.kendall is not None and figures.kendall > 0.85
        assert figures.repeat_noise < 0.02
    assert not table.campaign.noisy and table.campaign.steady > 0.9
    assert table.campaign.usual_ms.keys() == {
        "reference dense",
        "reference depthwise",
        "reference wide",
    }


def test_entries_are_the_blocks_own_times() -> None:
    device = SyntheticDevice()
    table = run(device)
    for spec in SPACE.reachable():
        how = recipe(spec)
        times = [true_ms(model.content()) for model in how.models]
        own = (times[0] - sum(times[1:])) / how.copies
        assert table.entries[block_key(spec)].ms == pytest.approx(max(1e-4, own), rel=1e-6)
        assert table.entries[block_key(spec)].error_ms == pytest.approx(0, abs=1e-9)
    assert set(table.entries) == {block_key(spec) for spec in SPACE.reachable()}


def test_entries_are_timed_once_and_chained_where_a_chain_is_possible() -> None:
    specs = SPACE.reachable()
    names = [model.name for model in models(specs)]
    assert len(set(names)) == len(names)
    copies = {recipe(spec).copies for spec in specs if spec.inputs == (spec.output,)}
    assert copies == {2}
    assert {recipe(spec).copies for spec in specs if spec.inputs != (spec.output,)} == {1}
    stems = [spec for spec in specs if spec.channels == 3]
    assert stems and all(recipe(spec).shorter is None for spec in stems)


def test_keys_tell_apart_all_that_a_time_depends_on() -> None:
    base = Conv.resolve((Tensor((8, 4, 4)),), out=8)
    others = [
        Conv.resolve((Tensor((8, 4, 4), layout="nchwc"),), out=8),
        Conv.resolve((Tensor((8, 4, 4), "float16"),), out=8),
        Conv.resolve((Tensor((8, 4, 5)),), out=8),
        Conv.resolve((Tensor((8, 4, 4)),), out=8, act="relu6"),
    ]
    assert len({block_key(spec) for spec in [base, *others]}) == 5
    usual = {"out": 8, "expand": 2, "kernel": 3, "stride": 1, "act": "relu", "se": False}
    changed = [{"kernel": 5}, {"stride": 2}, {"se": True}, {"expand": 3}, {"residual": False}]
    blocks = [MBConv.resolve((Tensor((8, 4, 4)),), **{**usual, **one}) for one in ({}, *changed)]
    assert len({block_key(spec) for spec in blocks}) == 6
    entry = Entry(block_key(base), 1.0, 0.1, ("a",), (0.1,), 1, {"Conv+Relu": 1, "Pool": 2})
    assert entry.key == f"{block_key(base)} batch=1 graph=(1xConv+Relu 2xPool)"
    unfused = replace(entry, operators={"Conv": 1, "Relu": 1})
    assert unfused.key != entry.key, "what the runtime made of the block is a part of its key"
    assert replace(entry, operators={}).key.endswith("graph=(not told)")


def test_weights_that_spill_out_of_a_cache_are_found() -> None:
    cost = functools.partial(true_ms, spill_ms_per_mb=2.0, cache_mb=0.05)
    table = run(SyntheticDevice(noise=0.003, cost=cost), whole_networks=20)
    rows = SPACE.sample(40, np.random.default_rng(6))
    error = np.abs(table.predict(rows) / truth(rows, cost) - 1)
    assert error.mean() < 0.03, "0.14 without the term"
    for fit in table.fits.values():
        assert fit.posterior.mean_ms[1] == pytest.approx(2.0, rel=0.3)


def test_resolutions_can_be_chosen_and_wrong_ones_are_refused() -> None:
    table = run(SyntheticDevice(), resolutions=(24,))
    assert set(table.fits) == {24}
    rows = SPACE.sample(20, np.random.default_rng(0))
    sides = resolutions_of(SPACE, SPACE.index(rows))
    assert set(sides) == {16, 24}
    assert len(table.predict(rows[sides == 24])) == (sides == 24).sum()
    with pytest.raises(ArtefactError, match="has resolutions 24, not 16"):
        table.predict(rows)
    with pytest.raises(SpaceError, match="no networks at resolution 32; it has 16, 24"):
        run(SyntheticDevice(), resolutions=(32,))
    with pytest.raises(ConfigError, match="3 whole networks or more"):
        run(SyntheticDevice(), whole_networks=2)


def test_without_held_out_networks_there_is_no_accuracy() -> None:
    assert run(SyntheticDevice(), held_out=0, resolutions=(16,)).accuracy == {}


def test_networks_are_distinct_and_held_out_ones_are_not_fitted() -> None:
    plans = plan_table(SPACE, np.random.default_rng(0), None, 12, 10)
    for networks in plans.networks.values():
        assert len(set(networks.fitted)) == 12 and len(set(networks.held_out)) == 10
        assert not set(networks.fitted) & set(networks.held_out)


def test_networks_to_fit_tell_more_than_random_ones() -> None:
    """The determinant of what they see of the blocks, each block's time as uncertain as it is."""
    plans = plan_table(SPACE, np.random.default_rng(0), [16], 12, 10)
    specs = plans.specs[16]
    number = [SPACE.specs.index(spec) for spec in specs]
    scale = np.sqrt([float(spec.macs) for spec in specs])

    def told(rows: object) -> float:
        index = SPACE.index(np.array(rows))
        seen = np.array([[np.sum(row == n) for n in number] for row in index]) * scale
        seen /= seen.sum(axis=1, keepdims=True)
        return float(np.linalg.slogdet(seen @ seen.T + 1e-4 * np.eye(12))[1])

    rng = np.random.default_rng(1)
    chance = [told(sample_at(SPACE, 16, 12, rng)) for _ in range(100)]
    assert told(plans.networks[16].fitted) > np.quantile(chance, 0.95)


def drifting(run: int) -> float:
    # Every network slower by the moment, references included, too fast to follow.
    return 1 + 0.5 * ((run // 7 * 2654435761) % 1000) / 1000


def test_a_campaign_that_contradicts_itself_is_not_published(tmp_path: Path) -> None:
    device = SyntheticDevice(noise=0.3, pace=drifting)
    few: dict[str, Any] = {"resolutions": (16,), "whole_networks": 4, "held_out": 2}
    folder, aside = tmp_path / "cpu.samples", tmp_path / "cpu.noisy"
    with pytest.raises(NoisyError, match=r"halves .* differ by .* the 3%.*stop what else") as said:
        run(device, folder=folder, **few)
    assert f"set aside in {aside}; the next campaign starts afresh" in str(said.value)
    assert aside.is_dir() and not folder.exists()
    # It is published if it is asked for, without a second try.
    visits = len(device.visits)
    table = run(device, folder=folder, allow_noisy=True, **few)
    assert table.campaign.noisy and table.campaign.disagreement > 0.03
    assert len(device.visits) - visits < visits
    with pytest.raises(NoisyError, match=r"--allow-noisy\)$"):
        run(device, **few)


def test_after_a_noisy_campaign_the_next_one_starts_afresh(tmp_path: Path) -> None:
    few: dict[str, Any] = {"resolutions": (16,), "whole_networks": 4, "held_out": 2}
    for _ in range(2):
        device = SyntheticDevice(noise=0.3, pace=drifting)
        with pytest.raises(NoisyError):
            run(device, folder=tmp_path / "cpu.samples", **few)
        assert len(device.visits) > 500, "the same error comes without a measurement"
    quiet = SyntheticDevice(noise=0.005)
    table = run(quiet, folder=tmp_path / "cpu.samples", **few)
    assert not table.campaign.noisy and table.campaign.steady == 1
    asked = [name for name in quiet.visits if name not in NAMES]
    assert sum(len(window.visits) for window in table.windows) == len(asked)


def test_samples_of_other_efforts_do_not_mix(tmp_path: Path) -> None:
    device = SyntheticDevice(dies_after=700)
    with pytest.raises(DeviceError, match="cut"):
        run(device, folder=tmp_path)
    for effort, differ in (
        (Effort(rounds=8, runs=3), "rounds 6 there, 8 here"),
        (Effort(rounds=6, runs=9), "runs 3 there, 9 here"),
    ):
        with pytest.raises(ArtefactError, match=rf"another campaign \({differ}\); finish that one"):
            run(SyntheticDevice(), folder=tmp_path, effort=effort)
    assert len(run(SyntheticDevice(), folder=tmp_path).fits) == 2


def test_a_killed_campaign_is_resumed_and_another_one_refused(tmp_path: Path) -> None:
    device = SyntheticDevice(noise=0.005, dies_after=700)
    with pytest.raises(DeviceError, match="cut"):
        run(device, folder=tmp_path)
    resumed = SyntheticDevice(noise=0.005, seed=9)
    table = run(resumed, folder=tmp_path)
    whole = SyntheticDevice(noise=0.005)
    run(whole)
    assert len(resumed.visits) < len(whole.visits) - 400
    rows = SPACE.sample(20, np.random.default_rng(5))
    np.testing.assert_allclose(table.predict(rows), truth(rows), rtol=0.05)
    with pytest.raises(ArtefactError, match=r"another campaign \(fingerprint .*threads"):
        run(SyntheticDevice(threads=2), folder=tmp_path)
    with pytest.raises(ArtefactError, match=r"held_out 10 there, 9 here"):
        run(device, folder=tmp_path, held_out=9)


@pytest.mark.parametrize("noise", [0.005, 0.4])
def test_what_a_campaign_takes_is_told_before_anything_is_written(
    tmp_path: Path, noise: float
) -> None:
    device = SyntheticDevice(noise=noise, dies_after=700)
    folder = tmp_path / "cpu.samples"
    told: list[Cost] = []

    def announce(cost: Cost) -> None:
        told.append(cost)
        if len(told) == 1:
            assert not folder.exists() and not device.visits
            raise RuntimeError("no")

    options: dict[str, Any] = {"folder": folder, "announce": announce, "allow_noisy": True}
    with pytest.raises(RuntimeError):
        run(device, **options)
    assert not folder.exists()
    with pytest.raises(DeviceError):
        run(device, **options)
    table = run(SyntheticDevice(noise=noise), **options)
    whole, again, rest = told
    assert whole == again and whole.visits == EFFORT.rounds * len(table_models(table))
    assert rest.visits < whole.visits and rest.seconds < whole.seconds
    table.save(tmp_path / "cpu.json")
    taken = [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()]
    assert sum(taken) <= whole.bytes <= 100 * sum(taken)


def table_models(table: LatencyTable) -> set[str]:
    return {visit.model for window in table.windows for visit in window.visits}


def test_skip_costs_nothing_and_every_row_is_predicted() -> None:
    table = run(SyntheticDevice())
    rows = every_row(SPACE)
    assert SPACE.specs[0] == SKIP
    predicted = table.predict(rows)
    assert np.isfinite(predicted).all() and (predicted > 0).all()
    some = np.random.default_rng(0).permutation(len(rows))[:60]
    np.testing.assert_allclose(predicted[some], truth(rows[some]), rtol=0.03)


def test_samples_of_another_question_are_not_deleted_while_they_are_measured(
    tmp_path: Path,
) -> None:
    mine = Journal(tmp_path)
    mine.begin({"version": 0})
    with pytest.raises(ArtefactError, match="another process measures into this folder"):
        run(SyntheticDevice(), folder=tmp_path)
    mine.close()
    with pytest.raises(ArtefactError, match="of another campaign"):
        run(SyntheticDevice(), folder=tmp_path)
