"""Several devices of one kind that share what is to be timed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from latency_lut import Device, DeviceError, Effort, Fingerprint, Latency, NetworkLatency
from latency_lut import device as device_of
from latency_lut.networks import measure_networks
from latency_lut.plans import network_model
from latency_lut.populations import network_name
from nas.engine import LOCAL
from nas.jobs.pool import Shard, further_devices, pool_names, timed_by
from search_spaces.errors import ConfigError
from tests.latency_lut.synthetic import SyntheticDevice, tiny_space

MADE = Fingerprint("made", "board", 4, "test", 1, "none", "none")


@dataclass(frozen=True)
class Board:
    """A device that nobody connects to."""

    name: str
    cpu: str = "board"

    def fingerprint(self) -> Fingerprint:
        return replace(MADE, device=self.name, cpu=self.cpu)


def boards(*names: str) -> list[Device]:
    return [Board(name) for name in names]  # type: ignore[misc]


def latency(ms: float) -> NetworkLatency:
    return NetworkLatency("", Latency(ms, 0.0, (ms, ms), ms, 1), ms, ms, ms, 1.0, None)


@dataclass
class Timing:
    """A network takes as many ms as its number; ``broken`` devices fail."""

    broken: Sequence[str] = ()
    asked: list[Shard] = field(default_factory=list)

    def __call__(self, shard: Shard) -> list[NetworkLatency]:
        self.asked.append(shard)
        if shard.device.name in self.broken:
            raise DeviceError(f"{shard.device.name} is off")
        return [latency(number) for number in shard.networks]


def test_names_of_a_pool() -> None:
    assert pool_names("cpu") == ("cpu",)
    assert pool_names("ssh://a, ssh://b:2200?python=/x/python3") == (
        "ssh://a",
        "ssh://b:2200?python=/x/python3",
    )
    for wrong in ("", "cpu,", "ssh://a,ssh://a"):
        with pytest.raises(ConfigError, match="each once; got"):
            pool_names(wrong)


def test_a_device_of_another_kind_is_no_part_of_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = {"ssh://b": "board", "ssh://c": "desk"}
    monkeypatch.setattr("nas.jobs.pool.device_of", lambda name, threads: Board(name, cpus[name]))
    first = boards("ssh://a")[0]
    assert [one.name for one in further_devices(first, ["ssh://b"])] == ["ssh://b"]
    with pytest.raises(ConfigError, match="ssh://c .* is not like ssh://a .*: cpu 'desk' here, 'b"):
        further_devices(first, ["ssh://b", "ssh://c"])


def test_a_device_alone_times_everything(tmp_path: Path) -> None:
    timing = Timing()
    found = timed_by(boards("a"), 3, timing, tmp_path / "samples")
    assert [one.latency_ms for one in found] == [0, 1, 2]
    (shard,) = timing.asked
    assert shard.networks == (0, 1, 2) and shard.folder == tmp_path / "samples"


def test_devices_share_and_results_keep_their_order(tmp_path: Path) -> None:
    timing = Timing()
    found = timed_by(boards("a", "b"), 5, timing, tmp_path)
    assert [one.latency_ms for one in found] == [0, 1, 2, 3, 4]
    assert {one.device.name: one.networks for one in timing.asked} == {"a": (0, 2, 4), "b": (1, 3)}
    assert len({one.folder for one in timing.asked}) == 2
    # One network, two devices: one of them has nothing to do.
    assert len(timed_by(boards("a", "b"), 1, Timing(), tmp_path)) == 1


def test_a_device_that_fails_hands_on_its_share(tmp_path: Path) -> None:
    timing = Timing(broken=["b"])
    found = timed_by(boards("a", "b", "c"), 7, timing, tmp_path)
    assert [one.latency_ms for one in found] == list(range(7))
    assert [one.device.name for one in timing.asked] == ["a", "b", "c", "a", "c"]
    with pytest.raises(DeviceError, match="is off"):
        timed_by(boards("a", "b"), 4, Timing(broken=["a", "b"]), tmp_path)


def test_a_device_that_is_another_where_it_is_used_is_refused(tmp_path: Path) -> None:
    """As ``cpu`` is on another node of a cluster."""

    @dataclass(frozen=True)
    class Elsewhere(Board):
        said: list[str] = field(default_factory=lambda: ["there", "here"])

        def fingerprint(self) -> Fingerprint:
            return replace(MADE, device=self.name, cpu=self.said.pop())

    with pytest.raises(DeviceError, match="another device where it is used from.*cpu 'there' here"):
        timed_by([Elsewhere("cpu")], 2, Timing(), tmp_path)  # type: ignore[list-item]


def test_a_device_with_a_connection_of_its_own_is_used_from_here(tmp_path: Path) -> None:
    class Never:
        def map(self, *_: object) -> None:
            raise AssertionError("it cannot be sent")

    class Page:
        name = "browser"
        fingerprint = staticmethod(lambda: MADE)

    found = timed_by([Page()], 2, Timing(), tmp_path, Never())  # type: ignore[list-item, arg-type]
    assert [one.latency_ms for one in found] == [0, 1]
    with pytest.raises(AssertionError, match="cannot be sent"):
        timed_by(boards("a"), 2, Timing(), tmp_path, Never())  # type: ignore[arg-type]


def test_a_pool_measures_what_one_device_does(tmp_path: Path) -> None:
    """Networks whose times are known, on two devices of which one is twice as slow."""
    space = tiny_space()
    X = space.sample(5, np.random.default_rng(0))
    models = [network_model(network_name(0, tuple(row)), space.lower_row(row)) for row in X]
    models = list({model.name: model for model in models}.values())

    def measure(shard: Shard) -> list[NetworkLatency]:
        chosen = [models[number] for number in shard.networks]
        effort = Effort(rounds=4, runs=1)
        rng = np.random.default_rng(0)
        return measure_networks(chosen, shard.device, rng=rng, effort=effort, memory=False)

    alone = timed_by([SyntheticDevice()], len(models), measure, tmp_path, LOCAL)
    pool = [SyntheticDevice(name="a"), SyntheticDevice(name="b")]
    shared = timed_by(pool, len(models), measure, tmp_path, LOCAL)
    assert [one.name for one in shared] == [model.name for model in models]
    assert [one.latency_ms for one in shared] == pytest.approx([one.latency_ms for one in alone])
    assert all(device.visits for device in pool)


def test_the_devices_of_this_machine_can_be_sent() -> None:
    from dataclasses import is_dataclass

    for name in ("cpu", "adb", "ssh://a"):
        assert is_dataclass(device_of(name)), name
    assert not is_dataclass(device_of("browser"))
