"""Weights that know what they belong to, and files that are not such."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nas.config import Config, DataConfig, SpaceConfig
from nas.data.augment import Normalisation
from nas.header import Header, peek, space_of
from nas.weights import load_supernet, save_supernet
from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.files import sha256_of
from tests.nas.tiny import registered, tiny

SPACE = tiny()
NORMALISATION = Normalisation((1.0, 2.0, 3.0), (4.0, 5.0, 6.5))
CLASSES = ("a cat", "ein Kätzchen", "c", "d")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "supernet.safetensors"
    save_supernet(path, SPACE.supernet(), NORMALISATION, CLASSES, "the data")
    return path


def rewrite(path: Path, change: Any) -> None:
    """Change the tensors and the metadata of a file."""
    with safe_open(str(path), framework="pt") as file:
        metadata = dict(file.metadata())
    tensors = load_file(path)
    change(tensors, metadata)
    save_file(tensors, path, metadata)


def edit(path: Path, change: Any) -> None:
    """Change the header, which is JSON under a key of its own."""

    def both(_: Any, metadata: dict[str, str]) -> None:
        ((key, text),) = metadata.items()
        document = json.loads(text)
        metadata[key] = json.dumps(change(document) or document)

    rewrite(path, both)


def test_what_was_saved_comes_back(path: Path) -> None:
    torch.manual_seed(0)
    expected = SPACE.supernet().state_dict()
    trained = load_supernet(path, SPACE)
    found = trained.supernet.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not trained.supernet.training
    assert (trained.normalisation, trained.classes) == (NORMALISATION, CLASSES)
    assert (trained.data, trained.digest) == ("the data", sha256_of(path))


def test_equal_weights_are_equal_files(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    trained = load_supernet(path, SPACE)
    save_supernet(again, trained.supernet, NORMALISATION, CLASSES, "the data")
    assert again.read_bytes() == path.read_bytes()


def test_the_header_alone(path: Path) -> None:
    expected = Header("tiny", SPACE.identity, "the data", CLASSES, *vars(NORMALISATION).values())
    assert peek(path) == expected


def test_weights_of_another_space(path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"weights of space 'tiny' .*, not of 'tiny'"):
        load_supernet(path, tiny(num_classes=7))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for read in (peek, lambda path: load_supernet(path, SPACE)):
        with pytest.raises(ArtefactError, match="not a whole safetensors file") as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: ")


def test_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ArtefactError, match="there are no trained weights; run `nas train`"):
            peek(path)


def test_safetensors_of_somebody_else(path: Path) -> None:
    rewrite(path, lambda tensors, metadata: metadata.clear())
    with pytest.raises(ArtefactError, match="header is damaged"):
        peek(path)


def test_files_from_before_trainings_settled(path: Path) -> None:
    whole = peek(path)
    edit(path, lambda document: document.pop("settled") and None)
    assert peek(path) == whole and whole.settled == ()


def test_what_a_training_settled_on_comes_back(path: Path) -> None:
    trained = load_supernet(path, SPACE)
    rows = SPACE.sample(3, np.random.default_rng(0))
    save_supernet(path, trained.supernet, NORMALISATION, CLASSES, "the data", settled=rows)
    assert peek(path).settled == tuple(tuple(row) for row in rows.tolist())


def test_another_format(path: Path) -> None:
    edit(path, lambda document: document.update(format=99))
    with pytest.raises(ArtefactError, match="another format; this version reads format 1"):
        peek(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("mean") and None,
        lambda document: document.update(classes=5),
        lambda document: document.update(unknown=5),
        lambda document: document.update(settled=5),
        lambda document: document.update(settled=[[1.5]]),
        lambda document: ["a list"],
        lambda document: "a text",
    ],
)
def test_a_damaged_header(path: Path, change: Any) -> None:
    edit(path, change)
    with pytest.raises(ArtefactError, match=r"header is damaged \(\w+: .*restore a copy"):
        peek(path)


@pytest.mark.parametrize("kind", ["missing", "odd", "shape"])
def test_tensors_of_another_supernet(path: Path, kind: str) -> None:
    def change(tensors: dict[str, torch.Tensor], _: object) -> None:
        name = next(name for name in tensors if name.endswith("weight"))
        if kind == "shape":
            tensors[name] = torch.zeros(3)
        if kind == "missing":
            del tensors[name]
        if kind == "odd":
            tensors["odd"] = torch.zeros(3)

    rewrite(path, change)
    with pytest.raises(ArtefactError, match="not those of a whole supernet") as caught:
        load_supernet(path, SPACE)
    assert "\n" not in str(caught.value)


def test_the_space_of_a_configuration() -> None:
    config = Config(
        data=DataConfig(path="x", size=16),
        space=SpaceConfig(name="tiny", resolutions=(8, 12)),
    )
    with registered():
        assert space_of(config, 3).identity == tiny((8, 12), 3).identity
        odd = replace(config, space=replace(config.space, options={"width": 2}))
        with pytest.raises(SpaceError, match="options of space 'tiny'"):
            space_of(odd, 3)
