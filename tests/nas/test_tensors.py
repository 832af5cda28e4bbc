"""Files of weights, whoever wrote them: read for their tensors, never run."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from nas.tensors import read_tensors
from search_spaces.errors import ArtefactError

TENSORS = {
    "first.weight": torch.arange(6.0).reshape(2, 3),
    "first.bias": torch.tensor([0.5, -1.0]),
    "bn.num_batches_tracked": torch.tensor(7),
}


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def write(kind: str, path: Path) -> Path:
    if kind == "npz":
        with path.open("wb") as stream:
            np.savez(stream, **{k: v.numpy() for k, v in TENSORS.items()})  # type: ignore[arg-type]
    elif kind == "safetensors":
        save_file(TENSORS, path)
    else:
        wrapped: Any = {"state": OrderedDict(TENSORS), "epoch": 3, "optimizer": {"lr": 0.1}}
        saved = {"state_dict": wrapped["state"], **wrapped} if "wrapped" in kind else TENSORS
        torch.save(saved, path, _use_new_zipfile_serialization="legacy" not in kind)
    return path


KINDS = ("npz", "safetensors", "torch", "torch legacy", "torch wrapped", "torch legacy wrapped")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["weights.bin", "ofa_mbv3_d234_e346_k357_w1.0"])
def test_every_kind_is_read_by_its_content(kind: str, name: str, tmp_path: Path) -> None:
    found = read_tensors(write(kind, tmp_path / name))
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[key], TENSORS[key]) for key in TENSORS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_a_truncated_file_is_refused_by_name(kind: str, share: float, tmp_path: Path) -> None:
    path = write(kind, tmp_path / "weights")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ArtefactError, match=rf"^{path}: ") as refused:
        read_tensors(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_would_run_is_refused_and_does_not_run(legacy: bool, tmp_path: Path) -> None:
    path, sprung = tmp_path / "weights.pth", tmp_path / "sprung"
    saved = {"state_dict": TENSORS, "trap": Trap(sprung)}
    torch.save(saved, path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(ArtefactError, match=r"other things than tensors \(\S+\), which"):
        read_tensors(path)
    path.write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(ArtefactError, match="refused"):
        read_tensors(path)
    assert not sprung.exists()


@pytest.mark.parametrize(
    "saved",
    [[TENSORS["first.bias"]], {}, {"epoch": 3}, {3: TENSORS["first.bias"]}, {"state_dict": {}}],
)
def test_a_file_without_tensors_by_name_is_refused(saved: object, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "weights.pth")
    with pytest.raises(ArtefactError, match="no tensors by name"):
        read_tensors(tmp_path / "weights.pth")


def test_a_whole_pickled_network_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "network.pth")
    with pytest.raises(ArtefactError, match=r"save its state_dict\(\) alone"):
        read_tensors(tmp_path / "network.pth")


def damaged(kind: str, path: Path) -> Path:
    """A file that is whole in length, and wrong within."""
    if kind == "compressed":
        with path.open("wb") as stream:
            np.savez_compressed(stream, a=np.zeros(1000))
        content = bytearray(path.read_bytes())
        content[60:90] = bytes(30)
    elif kind == "central directory":
        content = bytearray(write("npz", path).read_bytes())
        place = content.rindex(b"PK\x01\x02")
        content[place : place + 4] = b"XXXX"
    else:
        content = bytearray(write("torch", path).read_bytes())
        content[len(content) // 4 : len(content) // 3] = bytes(
            len(content) // 3 - len(content) // 4
        )
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", ["compressed", "central directory", "middle"])
def test_a_file_that_is_damaged_within_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="not a whole file of weights|holds no tensors"):
        read_tensors(damaged(kind, tmp_path / "weights"))


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(3).to(torch.float8_e4m3fn),
        torch.eye(3).to_sparse(),
        torch.zeros(3, dtype=torch.complex64),
        torch.zeros(3, dtype=torch.bool),
    ],
    ids=["float8", "sparse", "complex", "bool"],
)
def test_tensors_that_are_no_weights_are_named(tensor: Tensor, tmp_path: Path) -> None:
    torch.save({**TENSORS, "odd": tensor}, tmp_path / "weights.pth")
    with pytest.raises(ArtefactError, match="'odd' is not a plain tensor of numbers"):
        read_tensors(tmp_path / "weights.pth")


def test_empty_safetensors_are_refused(tmp_path: Path) -> None:
    save_file({}, tmp_path / "weights")
    with pytest.raises(ArtefactError, match="no tensors by name"):
        read_tensors(tmp_path / "weights")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        read_tensors(tmp_path / "missing.pth")
    (tmp_path / "text.txt").write_text("not weights at all")
    with pytest.raises(ArtefactError, match="text.txt"):
        read_tensors(tmp_path / "text.txt")
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ArtefactError, match="not a whole file of weights"):
        read_tensors(tmp_path / "objects.npz")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_named(value: float, tmp_path: Path) -> None:
    broken: dict[str, Tensor] = {**TENSORS, "first.bias": torch.tensor([1.0, value])}
    torch.save(broken, tmp_path / "weights.pth")
    with pytest.raises(ArtefactError, match=r"'first.bias' has values that are not finite"):
        read_tensors(tmp_path / "weights.pth")
