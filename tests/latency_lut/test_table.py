from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from latency_lut import space_in
from latency_lut.accuracy import accuracy, mape
from latency_lut.build import design_matrix
from latency_lut.campaign import Effort
from latency_lut.entries import block_key
from latency_lut.fingerprint import Fingerprint
from latency_lut.fit import predict
from latency_lut.latency import Latency
from latency_lut.measure import measure
from latency_lut.populations import resolutions_of
from latency_lut.table import LatencyTable
from search_spaces.errors import ArtefactError
from tests.latency_lut.synthetic import SyntheticDevice, every_row, tiny_space

SPACE = tiny_space()
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return measure(
        SPACE,
        SyntheticDevice(noise=0.01),
        rng=np.random.default_rng(0),
        effort=Effort(rounds=6, runs=3),
        whole_networks=12,
        held_out=8,
    )


@pytest.fixture
def path(table: LatencyTable, tmp_path: Path) -> Path:
    table.save(tmp_path / "table.json")
    return tmp_path / "table.json"


def test_a_table_measured_in_november_2026_keeps_loading_and_predicting_what_it_did(
    tmp_path: Path,
) -> None:
    """Of 21 November, as it was saved; of its windows only the first twenty are left."""
    path = tmp_path / "table.json"
    path.write_bytes(gzip.decompress((GOLDEN / "small-images-32.json.gz").read_bytes()))
    space = space_in(path)
    assert space is not None
    table = LatencyTable.load(path, space)
    held_out = [one for one in table.networks if not one.fitted]
    assert len(held_out) == table.accuracy[32].networks == 397 and len(table.windows) == 20
    mean, std = table.predict(np.array([one.row for one in held_out]), return_std=True)
    found = accuracy(mean, std, [one.latency for one in held_out])
    assert asdict(found) == pytest.approx(asdict(table.accuracy[32]), rel=1e-3)


def test_a_saved_table_is_the_same_table(table: LatencyTable, path: Path) -> None:
    loaded = LatencyTable.load(path, SPACE)
    rows = SPACE.sample(50, np.random.default_rng(0))
    for ours, theirs in zip(
        table.predict(rows, return_std=True), loaded.predict(rows, return_std=True), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for name in ("fingerprint", "campaign", "entries", "networks", "accuracy", "windows"):
        assert getattr(loaded, name) == getattr(table, name), name
    assert set(json.loads(path.read_text())["entries"]) == {e.key for e in table.entries.values()}
    again = path.with_name("again.json")
    loaded.save(again)
    assert json.loads(again.read_text()) == json.loads(path.read_text())


def test_the_population_path_is_the_dense_one(table: LatencyTable) -> None:
    rows = every_row(SPACE)
    sides = resolutions_of(SPACE, SPACE.index(rows))
    mean, std = table.predict(rows, return_std=True)
    assert np.array_equal(table.predict(rows), mean)
    for image in SPACE.images:
        side = image.shape[-1]
        fit, here = table.fits[side], rows[sides == side]
        specs = SPACE.reachable(image)
        design = design_matrix(SPACE, specs, here, np.array(fit.spilled_mb), fit.threshold_mb)
        dense_mean, dense_std = predict(fit.posterior, design)
        np.testing.assert_allclose(mean[sides == side], dense_mean, rtol=1e-9)
        np.testing.assert_allclose(std[sides == side], dense_std, rtol=1e-6)


def test_one_row_is_a_population_too(table: LatencyTable) -> None:
    assert table.predict(SPACE.smallest).shape == (1,)


def test_a_hundred_thousand_architectures_are_looked_up_together(table: LatencyTable) -> None:
    rows = SPACE.sample(100_000, np.random.default_rng(0))
    table.predict(rows[:10], return_std=True)
    start = time.process_time()
    table.predict(rows)
    assert time.process_time() - start < 5, "0.1 s on a quiet machine, minutes row by row"


def test_a_missing_entry_is_named_and_never_counted_as_zero(table: LatencyTable) -> None:
    fit = table.fits[16]
    # Forgets the second key: its parameters, and its column of the gain.
    posterior = fit.posterior
    rest = np.delete(np.arange(len(posterior.mean_ms)), 3)
    smaller = replace(
        posterior,
        mean_ms=posterior.mean_ms[rest],
        own_ms=posterior.own_ms[rest],
        shared_ms=posterior.shared_ms[rest],
        gain_ms=posterior.gain_ms[:, rest],
    )
    blocks = (fit.blocks[0], *fit.blocks[2:])
    spilled = (fit.spilled_mb[0], *fit.spilled_mb[2:])
    lacking = replace(
        table, fits={16: replace(fit, blocks=blocks, posterior=smaller, spilled_mb=spilled)}
    )
    rows = every_row(SPACE)
    rows = rows[resolutions_of(SPACE, SPACE.index(rows)) == 16]
    with pytest.raises(ArtefactError) as caught:
        lacking.predict(rows)
    assert fit.blocks[1] in str(caught.value) and "lacks 1 entries" in str(caught.value)
    with pytest.raises(ArtefactError, match="lacks"):
        lacking.predict(rows, return_std=True)


def test_a_table_of_another_space_is_refused(path: Path) -> None:
    says = "the table is of space 'tiny' .* not of 'tiny' .* the same space with other options"
    with pytest.raises(ArtefactError, match=says):
        LatencyTable.load(path, tiny_space((16, 32)))


def test_a_table_of_another_device_is_refused(table: LatencyTable) -> None:
    table.require(table.fingerprint)
    other = replace(table.fingerprint, threads=2, runtime="onnxruntime 9")
    with pytest.raises(ArtefactError, match=r"threads 2 here, 1 there; runtime 'onnxrunt"):
        table.require(other)
    assert Fingerprint.from_dict(asdict(other)) == other
    with pytest.raises(ArtefactError) as elsewhere:
        table.require(replace(table.fingerprint, cpu="another"))
    assert "--verify" not in str(elsewhere.value), "no update makes this a table of that device"
    with pytest.raises(ArtefactError, match=r"runtime 'onnxruntime 9' here.*--verify TABLE"):
        table.require(replace(table.fingerprint, runtime="onnxruntime 9"))


def test_files_that_are_no_tables_are_refused(path: Path) -> None:
    text = path.read_text()
    with pytest.raises(ArtefactError, match="no latency table can be read there"):
        LatencyTable.load(path.with_name("nowhere.json"), SPACE)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(ArtefactError, match="truncated perhaps"):
        LatencyTable.load(path, SPACE)
    path.write_text("[1, 2]")
    with pytest.raises(ArtefactError, match="is no latency table"):
        LatencyTable.load(path, SPACE)
    document = json.loads(text)
    path.write_text(json.dumps({**document, "version": 99}))
    with pytest.raises(ArtefactError, match=r"version 99, this program\s+reads 6 and 7"):
        LatencyTable.load(path, SPACE)
    for damaged in ("fits", "samples", "entries", "fingerprint", "networks"):
        path.write_text(json.dumps({**document, damaged: {"16": {"blocks": [1]}}}))
        with pytest.raises(ArtefactError, match="damaged"):
            LatencyTable.load(path, SPACE)
    fits = {**document["fits"], "16": {**document["fits"]["16"], "mean_ms": [1.0]}}
    path.write_text(json.dumps({**document, "fits": fits}))
    with pytest.raises(ArtefactError, match="arrays of other sizes"):
        LatencyTable.load(path, SPACE)


def test_mean_absolute_error_is_relative_to_what_was_measured() -> None:
    assert mape(np.array([1.1, 1.6]), np.array([1.0, 2.0])) == pytest.approx(0.15)


def test_accuracy_figures_are_what_their_names_say() -> None:
    def measured(ms: float) -> Latency:
        return Latency(ms, 0.0, (ms, 1.1 * ms), ms, 4)

    figures = accuracy(
        np.array([1.02, 2.08, 3.0, 4.6]),
        np.array([0.02, 0.04, 0.1, 0.1]),
        [measured(ms) for ms in (1.0, 2.0, 3.0, 4.0)],
    )
    assert figures.mape == pytest.approx((0.02 + 0.04 + 0 + 0.15) / 4)
    assert figures.bias == figures.mape
    assert (figures.within_2_5, figures.within_5, figures.within_10) == (0.5, 0.75, 0.75)
    assert figures.coverage_90 == 0.5
    assert figures.spearman == 1 and figures.kendall == 1
    assert figures.repeat_noise == pytest.approx(0.1 / 1.05)
    pair = accuracy(np.ones(2), None, [measured(1.0)] * 2)
    assert (pair.kendall, pair.spearman, pair.coverage_90) == (None, None, None)


def test_loading_and_predicting_need_no_runtime(path: Path) -> None:
    code = f"""
import sys
import latency_lut
heavy = {{"torch", "onnx", "onnxruntime", "scipy", "sklearn"}} & set(sys.modules)
assert not heavy, heavy
from search_spaces import get
space = get("small-images")
try:
    latency_lut.LatencyTable.load({str(path)!r}, space)
except latency_lut.table.ArtefactError:
    pass
heavy = {{"torch", "onnx", "onnxruntime", "scipy", "sklearn"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_prediction_follows_from_the_file_and_what_it_says_alone(
    table: LatencyTable, path: Path
) -> None:
    """As somebody would compute it who has the JSON and a network's layers, and no program."""
    document = json.loads(path.read_text())
    rows = SPACE.sample(8, np.random.default_rng(3))
    mean, std = table.predict(rows, return_std=True)
    for row, expected_ms, expected_std in zip(rows, mean, std, strict=True):
        plan = SPACE.lower_row(row)
        fit = document["fits"][str(plan.image.shape[-1])]
        names = [block_key(node.spec) for node in plan.nodes]
        weights_mb = sum(4e-6 * node.spec.params for node in plan.nodes)
        spilled = sum(fit["spilled_mb"][fit["blocks"].index(name)] for name in names)
        counts = [1.0, max(0.0, weights_mb - fit["threshold_mb"]) - spilled]
        counts += [float(names.count(block)) for block in fit["blocks"]]
        ms = sum(n * t for n, t in zip(counts, fit["mean_ms"], strict=True))
        assert ms == pytest.approx(expected_ms, rel=1e-6)
        size = len(counts)
        covariance = [
            [
                (fit["own_ms"][i] ** 2 if i == j else 0.0)
                + sum(a * b for a, b in zip(fit["shared_ms"][i], fit["shared_ms"][j], strict=True))
                - sum(gain[i] * gain[j] for gain in fit["gain_ms"])
                for j in range(size)
            ]
            for i in range(size)
        ]
        variance = sum(
            counts[i] * covariance[i][j] * counts[j] for i in range(size) for j in range(size)
        )
        further = fit["scales"]["network"], fit["repeat"], fit["unsure"]
        variance += sum(share**2 for share in further) * ms**2
        assert variance**0.5 == pytest.approx(expected_std, rel=1e-4)
    about = document["fits"]["16"]["about"]
    assert all(name in about for name in ("threshold_mb", "spilled_mb", "own", "shared", "gain",
                                          "scales.network", "repeat", "unsure"))  # fmt: skip


def test_latencies_follow_from_the_samples_in_the_file(table: LatencyTable, path: Path) -> None:
    """The median over rounds of each round's minimum, at the usual pace of the references."""
    document = json.loads(path.read_text())
    samples, usual = document["samples"], document["campaign"]["usual_ms"]
    network = document["networks"][0]
    name = f"network {network['resolution']} {'.'.join(map(str, network['row']))}"
    number = samples["models"].index(name)
    minima = []
    for window in samples["windows"]:
        looks = np.minimum(window["before"], window["after"])
        assert len(looks) == len(usual) and "before and after" in samples["about"]
        minima += [min(times) for model, *times in window["visits"] if model == number]
    assert len(minima) >= document["campaign"]["rounds"]
    # The machine's pace differs from window to window by the device's noise of 1%.
    assert np.median(minima) == pytest.approx(network["latency"]["latency_ms"], rel=0.02)
