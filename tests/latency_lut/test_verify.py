"""Verifying a table on a device that changed, or did not."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from latency_lut import Cost, Effort, Fingerprint, LatencyTable, Verification, measure, verify
from latency_lut.errors import DeviceError, NoisyError
from latency_lut.table_file import require_device
from latency_lut.verify import SAMPLE
from search_spaces.errors import ArtefactError
from tests.latency_lut.synthetic import SyntheticDevice, tiny_space, true_ms

SPACE = tiny_space()
BRIEF = Effort(rounds=4, runs=2)


@dataclass
class Updated(SyntheticDevice):
    """The same device with another runtime."""

    def fingerprint(self) -> Fingerprint:
        return replace(super().fingerprint(), runtime="updated 2.0")


@functools.cache
def table() -> LatencyTable:
    return measure(
        SPACE,
        SyntheticDevice(noise=0.002),
        rng=np.random.default_rng(0),
        effort=Effort(rounds=4, runs=3),
        whole_networks=12,
        held_out=6,
    )


def found_on(device: SyntheticDevice) -> Verification:
    return verify(table(), device, rng=np.random.default_rng(1), effort=BRIEF)


def moved(share: float) -> Callable[[bytes], float]:
    """Every model by its own, up to ``share`` either way: an update that changed some kernels."""

    def cost(content: bytes) -> float:
        return true_ms(content) * (1 - share + 2 * share * (zlib.crc32(content) % 100) / 100)

    return cost


def test_a_table_holds_on_the_device_that_it_was_measured_on() -> None:
    device = SyntheticDevice(noise=0.002)
    found = found_on(device)
    assert found.holds and found.same_pace and found.moved < 0.01
    assert found.networks == 2 * SAMPLE and found.pace == pytest.approx(1, abs=0.01)
    again = [name for name in device.visits if name.startswith("network ")]
    known = {f"network {n.resolution} {'.'.join(map(str, n.row))}": n for n in table().networks}
    assert len(set(again)) == 2 * SAMPLE and set(again) <= set(known)
    held_out = {name for name, network in known.items() if not network.fitted}
    assert len(held_out) == 12 and held_out <= set(again), "held-out networks come first"
    # The same figure by hand: 12 held-out networks whose true times are known.
    rows = np.array([known[name].row for name in sorted(held_out)])
    truth = np.array([device.known[name] for name in sorted(held_out)])
    assert found.mape == pytest.approx(np.abs(table().predict(rows) / truth - 1).mean(), abs=0.003)


def test_what_a_verification_takes_is_told_before_anything_is_timed(tmp_path: Path) -> None:
    device = SyntheticDevice(noise=0.002)
    told: list[Cost] = []

    def announce(cost: Cost) -> None:
        told.append(cost)
        assert not device.visits and not folder.exists()
        raise RuntimeError("no")

    folder = tmp_path / "cpu.verify"
    with pytest.raises(RuntimeError):
        verify(table(), device, rng=np.random.default_rng(1), announce=announce, folder=folder)
    (cost,) = told
    # 16 rounds of all networks, each of which fills a millisecond at least.
    assert cost.visits == 16 * 2 * SAMPLE
    assert 1e-3 * cost.visits < cost.seconds < 1e-2 * cost.visits and cost.bytes > 0


def test_an_interrupted_verification_goes_on_with_its_samples(tmp_path: Path) -> None:
    folder = tmp_path / "cpu.verify"
    asked = {"rng": np.random.default_rng(1), "effort": BRIEF, "folder": folder}
    whole = SyntheticDevice(noise=0.002)
    expected = verify(table(), whole, **asked)  # type: ignore[arg-type]
    assert not folder.exists()
    cut = SyntheticDevice(noise=0.002, dies_after=len(whole.visits) * 2 // 3)
    asked["rng"] = np.random.default_rng(1)
    with pytest.raises(DeviceError, match="connection is cut"):
        verify(table(), cut, **asked)  # type: ignore[arg-type]
    kept = (folder / "samples.jsonl").read_text()
    assert '"window"' in kept
    rest = SyntheticDevice(noise=0.002)
    asked["rng"] = np.random.default_rng(1)
    found = verify(table(), rest, **asked)  # type: ignore[arg-type]
    assert len(rest.visits) < len(whole.visits) * 2 / 3 and not folder.exists()
    assert found.networks == expected.networks and found.holds
    assert found.mape == pytest.approx(expected.mape, abs=0.003)


def test_samples_of_another_verification_are_not_taken(tmp_path: Path) -> None:
    folder = tmp_path / "cpu.verify"
    cut = SyntheticDevice(noise=0.002, dies_after=100)
    with pytest.raises(DeviceError, match="connection is cut"):
        verify(table(), cut, rng=np.random.default_rng(1), effort=BRIEF, folder=folder)
    updated = Updated(noise=0.002)
    verify(table(), updated, rng=np.random.default_rng(1), effort=BRIEF, folder=folder)
    fresh = Updated(noise=0.002)
    verify(table(), fresh, rng=np.random.default_rng(1), effort=BRIEF)
    assert len(updated.visits) == len(fresh.visits)


@pytest.mark.parametrize(
    ("cost", "holds", "same_pace"),
    [
        (moved(0.15), False, True),
        (moved(0.08), False, True),
        (moved(0.04), True, True),
        (lambda c: 0.7 * true_ms(c), False, False),
        (lambda c: 0.88 * true_ms(c), False, False),
        (lambda c: 0.93 * true_ms(c), True, True),
    ],
)
def test_what_an_update_may_change(
    cost: Callable[[bytes], float], holds: bool, same_pace: bool
) -> None:
    found = found_on(Updated(noise=0.002, cost=cost))
    assert (found.holds, found.same_pace) == (holds, same_pace)
    # Without an update it is the hour that changed.
    assert found_on(SyntheticDevice(noise=0.002, cost=cost)).holds == (holds or not same_pace)
    assert found.fingerprint.runtime == "updated 2.0"


def test_an_updates_pace_is_told() -> None:
    found = found_on(Updated(noise=0.002, cost=lambda content: 0.7 * true_ms(content)))
    assert found.pace == pytest.approx(1 / 0.7, rel=0.01) and found.moved < 0.01


def test_a_verified_update_is_accepted_and_kept_in_the_file(tmp_path: Path) -> None:
    updated = Updated().fingerprint()
    path = tmp_path / "t.json"
    table().save(path)
    for refuse in (table().require, functools.partial(require_device, path)):
        with pytest.raises(ArtefactError, match="another device or runtime: runtime 'updated 2.0'"):
            refuse(updated)
    found = found_on(Updated(noise=0.002))
    assert found.holds
    replace(table(), verified=(found,)).save(path)
    loaded = LatencyTable.load(path, SPACE)
    assert loaded.verified == (found,)
    loaded.require(updated)
    loaded.require(SyntheticDevice().fingerprint())
    require_device(path, updated)
    with pytest.raises(ArtefactError, match="threads 2 here, 1 there"):
        loaded.require(replace(updated, threads=2))
    # The latest verification counts, on the table's own device too.
    broken = replace(found, holds=False)
    for verified, here in (((found, broken), updated),
                           ((replace(broken, fingerprint=table().fingerprint),),
                            table().fingerprint)):  # fmt: skip
        with pytest.raises(ArtefactError, match="no longer holds on this device"):
            replace(table(), verified=verified).require(here)
    replace(table(), verified=(broken, found)).require(updated)


def test_noise_says_nothing_of_a_table() -> None:
    with pytest.raises(NoisyError, match="halves of the verification differ by .* verify again"):
        found_on(SyntheticDevice(noise=1.0))


def test_each_resolution_has_its_own_pace() -> None:
    def slower_when_large(content: bytes) -> float:
        return true_ms(content) * (1.1 if _side(content) == 24 else 1.0)

    found = found_on(SyntheticDevice(noise=0.002, cost=slower_when_large))
    assert found.holds and found.moved < 0.01


@pytest.mark.parametrize("side", [16, 24])
def test_after_an_update_every_resolution_must_be_as_it_was(side: int) -> None:
    def slower_at_one(content: bytes) -> float:
        return true_ms(content) * (1.2 if _side(content) == side else 1.0)

    found = found_on(Updated(noise=0.002, cost=slower_at_one))
    assert not found.holds and found.moved < 0.01
    assert found.pace == pytest.approx(1 / 1.2, rel=0.01)


def _side(content: bytes) -> int:
    graph = onnx.load_model_from_string(content).graph
    return int(graph.input[0].type.tensor_type.shape.dim[3].dim_value)


def test_another_device_is_no_update() -> None:
    with pytest.raises(ArtefactError, match=r"another device: threads 2 here, 1 there .*update"):
        found_on(SyntheticDevice(threads=2))


def test_a_table_without_networks_cannot_be_verified() -> None:
    bare = replace(table(), networks=())
    with pytest.raises(DeviceError, match="no whole networks to measure again"):
        verify(bare, SyntheticDevice(), rng=np.random.default_rng(0), effort=BRIEF)
