"""Mixed precision on the CPU: networks run in bfloat16, and all that is kept is float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.config import Config, Phase, TrainConfig
from nas.dataset import Dataset, open_dataset
from nas.training.checkpoint import load_checkpoint
from nas.training.loop import train
from tests.nas.tiny import registered, tiny, write_config, write_images

EPOCHS = 5


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("images")
    with registered():
        config = write_config(folder / "config.yaml", write_images(folder / "images.npz"))
        return open_dataset(Config.load(config))


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trained(
    dataset: Dataset, precision: Literal["float32", "bfloat16"], folder: Path
) -> tuple[list[float], dict[str, Any]]:
    """The losses of all steps, and what the checkpoint holds in the end."""
    folder.mkdir()
    losses: list[float] = []
    config = TrainConfig(
        "sandwich",
        batch_size=16,
        optimizer="muon",
        ema=0.9,
        precision=precision,
        threads=1,
        phases=(Phase("all", EPOCHS),),
    )
    train(
        *(tiny(), dataset.images, config, folder / "checkpoint.pt", {}),
        tell=lambda progress: losses.append(progress.loss),
        record=lambda _: None,
    )
    return losses, load_checkpoint(folder / "checkpoint.pt", {})


def tensors(state: Any) -> list[Tensor]:
    """All tensors of a state, in order."""
    if isinstance(state, dict):
        return [tensor for part in state.values() for tensor in tensors(part)]
    return [state] if isinstance(state, Tensor) else []


def test_half_the_bits_learn_as_much_and_are_kept_nowhere(dataset: Dataset, tmp_path: Path) -> None:
    whole, _ = trained(dataset, "float32", tmp_path / "float32")
    half, state = trained(dataset, "bfloat16", tmp_path / "bfloat16")
    again, same = trained(dataset, "bfloat16", tmp_path / "again")
    assert half != whole, "another precision was asked for"
    np.testing.assert_allclose(half, whole, rtol=0.02)
    steps = len(half) // EPOCHS
    assert np.mean(half[-steps:]) < 0.9 * np.mean(half[:steps])
    parts = {name: tensors(state[name]) for name in ("supernet", "average", "optimizer")}
    for name, found in parts.items():
        floating = {tensor.dtype for tensor in found if tensor.is_floating_point()}
        assert floating == {torch.float32}, name
    assert again == half
    assert all(torch.equal(a, b) for a, b in zip(tensors(state), tensors(same), strict=True))
