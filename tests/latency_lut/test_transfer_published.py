"""Devices of published populations, predicted from the others; few of them, few draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.latency.published import load, physical, published
from latency_lut.transfer import Transfer

NETWORKS = 2000


@pytest.mark.parametrize(
    ("space", "devices", "at_least"),
    [
        ("nasbench201", ("1080ti_256", "silver_4210r"), 0.985),
        ("fbnet", ("eyeriss", "titanxp_64"), 0.97),
    ],
)
def test_ten_networks_of_a_device_rank_the_others(
    shared_data: Path, space: str, devices: tuple[str, ...], at_least: float
) -> None:
    data = load(shared_data / "device_latency", space)
    rng = np.random.default_rng(0)
    kept = rng.choice(data.ms.shape[1], NETWORKS, replace=False)
    groups = data.groups()
    for device in devices:
        new = data.devices.index(device)
        donors = [i for i, group in enumerate(groups) if group != physical(device)]
        transfer = Transfer(
            data.ms[np.ix_(donors, kept)],
            data.features[kept],
            rng=rng,
            groups=[groups[i] for i in donors],
            labels=data.labels,
        )
        ms = data.ms[new, kept]
        found = []
        for _ in range(3):
            rows = rng.choice(NETWORKS, 10, replace=False)
            predicted = transfer.fit(rows, ms[rows]).predict(np.arange(NETWORKS))
            ranks = np.argsort(np.argsort(np.stack([predicted, ms]), axis=1), axis=1)
            found.append(np.corrcoef(ranks)[0, 1])
        assert np.mean(found) > at_least, device


def test_batches_of_a_device_are_one_device() -> None:
    assert physical("1080ti_32") == physical("1080ti_256") == "1080ti"
    assert physical("titan_rtx_1") == "titan_rtx"
    assert physical("essential_ph_1") == "essential_ph_1"
    assert physical("silver_4210r") == "silver_4210r" and physical("gold_6226") == "gold_6226"


def test_a_population_is_one_part_an_operator_at_a_position() -> None:
    arch = np.array([[0, 1], [2, 0], [1, 1]])
    ms = np.arange(3.0) + 1
    data = published("nasbench201", {"arch": arch, "ops": arch, "b_32": ms, "a": ms, "b_1": ms})
    assert data.devices == ("a", "b_1", "b_32") and data.groups() == ("a", "b", "b")
    assert data.features.tolist() == [[1, 0, 0, 0, 1, 0], [0, 0, 1, 1, 0, 0], [0, 1, 0, 0, 1, 0]]
    assert data.labels[0].tolist() == [0, 1, 2, 0, 1, 2]
