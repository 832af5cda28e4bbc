"""Tables of a new device from few networks and donors, on devices whose times are known."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from latency_lut.campaign import Effort
from latency_lut.errors import DeviceError, NoisyError
from latency_lut.fingerprint import Fingerprint
from latency_lut.latency import Latency
from latency_lut.measure import measure
from latency_lut.merge import merged
from latency_lut.plans import network_model
from latency_lut.refine import refined
from latency_lut.table import Donor, LatencyTable, Network
from latency_lut.transfer import measure_from_donors
from search_spaces.errors import ArtefactError, ConfigError
from tests.latency_lut.synthetic import SyntheticDevice, tiny_space, true_ms

SPACE = tiny_space()
EFFORT = Effort(rounds=4, runs=2)
SAMPLES = 8


@dataclass
class Named(SyntheticDevice):
    """A device of its own kind, ``cpu``."""

    cpu: str = "new"

    def fingerprint(self) -> Fingerprint:
        return replace(super().fingerprint(), cpu=self.cpu)


def cost(spill: float, cache_mb: float, times: float = 1.0) -> Callable[[bytes], float]:
    price = functools.partial(true_ms, spill_ms_per_mb=spill, cache_mb=cache_mb)
    return lambda content: times * price(content)


# Between the donors in what weights cost, and three times slower.
NEW = cost(1.2, 0.05, 3.0)


@pytest.fixture(scope="module")
def donors() -> list[LatencyTable]:
    known = {"plain": cost(0.0, 9.0), "spilling": cost(2.0, 0.05), "other": cost(1.0, 0.1, 0.5)}
    return [
        measure(
            SPACE,
            Named(noise=0.01, cost=price, cpu=name),
            rng=np.random.default_rng(0),
            effort=EFFORT,
            whole_networks=12,
            held_out=0,
        )
        for name, price in known.items()
    ]


def run(donors: list[LatencyTable], device: Named | None = None, **options: Any) -> LatencyTable:
    options = {"samples": SAMPLES, "effort": EFFORT, "resolutions": (16,), **options}
    device = device or Named(noise=0.01, cost=NEW)
    return measure_from_donors(SPACE, device, donors, rng=np.random.default_rng(1), **options)


@pytest.fixture(scope="module")
def table(donors: list[LatencyTable]) -> LatencyTable:
    return run(donors)


def test_few_networks_and_donors_make_a_table(
    donors: list[LatencyTable], table: LatencyTable
) -> None:
    sampled = SPACE.sample(200, np.random.default_rng(5))
    rows = sampled[sampled[:, 0] == 0][:50]
    truth = np.array(
        [NEW(network_model(str(i), SPACE.lower_row(row)).content()) for i, row in enumerate(rows)]
    )
    mean, std = table.predict(rows, return_std=True)
    assert np.abs(mean / truth - 1).mean() < 0.03
    assert np.mean(np.abs(mean - truth) <= 1.645 * std) > 0.8
    for donor in donors:
        # Even with its scale right, none alone comes near.
        ratio = donor.predict(rows) / truth
        assert (ratio / np.median(ratio)).std() > 0.05


def test_the_table_says_where_it_comes_from(
    donors: list[LatencyTable], table: LatencyTable, tmp_path: Path
) -> None:
    assert table.donors == {16: tuple(Donor(one.fingerprint, one.campaign.when) for one in donors)}
    assert not table.entries and len(table.networks) == SAMPLES
    assert all(network.fitted for network in table.networks)
    assert table.accuracy[16].networks == SAMPLES and table.accuracy[16].mape < 0.06
    table.save(tmp_path / "table.json")
    loaded = LatencyTable.load(tmp_path / "table.json", SPACE)
    assert loaded.donors == table.donors
    row = np.array([table.networks[0].row])
    np.testing.assert_allclose(
        loaded.predict(row, return_std=True), table.predict(row, return_std=True), rtol=1e-4
    )


def test_only_whole_networks_are_loaded(donors: list[LatencyTable]) -> None:
    device = Named(cost=NEW)
    run(donors, device)
    names = {name.split()[0] for name in device.known}
    assert names == {"reference", "network"}
    assert sum(name.startswith("network") for name in device.known) == SAMPLES


def test_all_resolutions_that_donors_share_are_measured(donors: list[LatencyTable]) -> None:
    assert set(run(donors, samples=4, resolutions=None).fits) == {16, 24}
    some = [donors[0], replace(donors[1], fits={24: donors[1].fits[24]})]
    assert set(run(some, samples=4, resolutions=None).fits) == {24}
    with pytest.raises(ArtefactError, match=r"\[16\] are not in all of them, \[24\] are"):
        run(some)


def test_three_samples_leave_none_to_judge_by(donors: list[LatencyTable]) -> None:
    assert run(donors, samples=3).accuracy == {}


def test_a_cut_campaign_goes_on_with_the_same_networks(
    donors: list[LatencyTable], tmp_path: Path
) -> None:
    folder = tmp_path / "samples"
    with pytest.raises(DeviceError, match="cut"):
        run(donors, Named(cost=NEW, dies_after=40), folder=folder)
    begun = json.loads((folder / "campaign.json").read_text())
    table = run(donors, folder=folder)
    assert [list(network.row) for network in table.networks] == begun["networks"]["16"]["fitted"]
    with pytest.raises(ArtefactError, match="another campaign .*donors"):
        run(donors[:2], folder=folder)


def test_a_noisy_campaign_is_refused_and_set_aside(
    donors: list[LatencyTable], tmp_path: Path
) -> None:
    folder = tmp_path / "table.samples"
    with pytest.raises(NoisyError, match="set aside in .*noisy"):
        run(donors, Named(noise=0.5, cost=NEW), folder=folder)
    assert run(donors, Named(noise=0.5, cost=NEW), allow_noisy=True).noisy


def test_measured_resolutions_take_the_place_of_donated_ones(
    donors: list[LatencyTable], table: LatencyTable
) -> None:
    device = Named(noise=0.01, cost=NEW)
    more = run(donors, device, resolutions=(24,))
    both = merged(table, more)
    assert set(both.donors) == {16, 24}
    measured = measure(
        SPACE,
        device,
        rng=np.random.default_rng(0),
        resolutions=(16,),
        effort=EFFORT,
        whole_networks=12,
    )
    assert set(merged(both, measured).donors) == {24}


def test_measurements_that_come_later_flow_into_the_fit(table: LatencyTable) -> None:
    sampled = SPACE.sample(400, np.random.default_rng(6))
    distinct = np.unique(sampled[sampled[:, 0] == 0], axis=0)
    rows = np.random.default_rng(0).permutation(distinct)[:60]
    truth = np.array(
        [NEW(network_model(str(i), SPACE.lower_row(row)).content()) for i, row in enumerate(rows)]
    )
    seen = [
        Network(16, tuple(row.tolist()), True, Latency(ms, 0.005 * ms, (ms, ms), ms, 4))
        for row, ms in zip(rows[:30], truth, strict=False)
    ]
    better = refined(table, seen)
    before, wide = table.predict(rows[30:], return_std=True)
    after, narrow = better.predict(rows[30:], return_std=True)
    assert np.abs(after / truth[30:] - 1).mean() < 0.8 * np.abs(before / truth[30:] - 1).mean()
    assert (narrow < wide).all()
    assert better.accuracy == table.accuracy and better.donors == table.donors
    assert len(better.networks) == SAMPLES + 30


def test_donors_are_other_devices_and_there_are_some(donors: list[LatencyTable]) -> None:
    with pytest.raises(ConfigError, match="got 0 tables and 8 samples"):
        run([])
    with pytest.raises(ConfigError, match="3 samples or more; got 3 tables and 2 samples"):
        run(donors, samples=2)
    with pytest.raises(ConfigError, match="a donor is a table of another device"):
        run(donors, Named(cpu="plain"))
