"""A run folder: whose it is, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nas.config import Config, DataConfig, SearchConfig, TrainConfig
from nas.run import Run, digest
from search_spaces.errors import ArtefactError, ConfigError

CONFIG = Config(data=DataConfig(path="somewhere"))


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "a" / "b", CONFIG, resume=False)
    assert run.config() == CONFIG and Run.open(run.folder) == run


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert Run.create(tmp_path, CONFIG, resume=True).config() == CONFIG


def test_checking_writes_nothing(tmp_path: Path) -> None:
    Run.check(tmp_path / "run", CONFIG, resume=False)
    assert list(tmp_path.iterdir()) == []


def test_how_to_search_may_change_and_where_images_lie(tmp_path: Path) -> None:
    Run.create(tmp_path, CONFIG, resume=False)
    moved = replace(CONFIG.data, path="elsewhere")
    other = replace(CONFIG, data=moved, search=SearchConfig(latency_ms=3.0))
    assert Run.create(tmp_path, other, resume=True).config() == other


def test_weights_may_lie_elsewhere_and_tensorboard_may_begin(tmp_path: Path) -> None:
    config = Config(data=DataConfig("x"), train=TrainConfig(weights="here"))
    run = Run.create(tmp_path / "run", config, resume=False)
    moved = replace(config, train=replace(config.train, weights="there", tensorboard=True))
    assert Run.create(run.folder, moved, resume=True).config() == moved


def test_every_key_that_differs_is_named(tmp_path: Path) -> None:
    Run.create(tmp_path, CONFIG, resume=False)
    other = replace(
        CONFIG,
        data=replace(CONFIG.data, horizontal_flip=False),
        space=replace(CONFIG.space, resolutions=(16, 24)),
        train=replace(CONFIG.train, seed=1),
    )
    expected = r"\(data.horizontal_flip, space.resolutions, train.seed\)"
    with pytest.raises(ConfigError, match=expected):
        Run.create(tmp_path, other, resume=True)
    assert Run(tmp_path).config() == CONFIG


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay"])
def test_what_was_usual_may_be_said_as_a_number(tmp_path: Path, name: str) -> None:
    Run.create(tmp_path, CONFIG, resume=False)
    said, other = (
        replace(CONFIG, train=replace(CONFIG.train, **{name: number})) for number in (0.1, 0.2)
    )
    assert Run.create(tmp_path, said, resume=True).config() == said
    with pytest.raises(ConfigError, match=rf"another configuration \(train\.{name}\)"):
        Run.create(tmp_path, other, resume=True)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"not a run folder .* makes one"):
        Run.open(tmp_path)
    (tmp_path / ".hidden").touch()
    with pytest.raises(ConfigError, match="is not empty and not a run"):
        Run.create(tmp_path, CONFIG, resume=False)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"/file/run: cannot be made \(Not a directory\)"):
        Run.create(tmp_path / "file" / "run", CONFIG, resume=False)


def test_the_log_is_a_table(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_log([{"epoch": 0, "loss": 1.5}, {"epoch": 1, "loss": 1.25}])
    assert run.log.read_text().splitlines() == ["epoch,loss", "0,1.5", "1,1.25"]


def test_a_digest_is_sha_256() -> None:
    assert digest("abc").startswith("ba7816bf8f01cfea414140de5dae2223")
