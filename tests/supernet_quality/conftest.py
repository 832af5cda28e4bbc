"""The modules of experiments/supernet_quality, which find each other in their folder."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from nas.config import Config
from nas.data.augment import Normalisation
from nas.run import Run
from nas.weights import save_supernet
from search_spaces import Space
from tests.nas.tiny import registered, tiny, write_config

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "supernet_quality"


@pytest.fixture(scope="module")
def script() -> Iterator[Callable[[str], ModuleType]]:
    """Imports one of them by name."""
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(FOLDER))
        for path in FOLDER.glob("*.py"):
            sys.modules.pop(path.stem, None)


@pytest.fixture(scope="module")
def space() -> Space:
    return tiny()


@pytest.fixture
def run(space: Space, tmp_path: Path) -> Iterator[Path]:
    """A run whose supernet was never trained and whose images nobody reads."""
    config = Config.load(write_config(tmp_path / "config.yaml", tmp_path / "none.npz"))
    found = Run.create(tmp_path / "run", config, resume=False)
    torch.manual_seed(0)
    normal = Normalisation((0.0,) * 3, (1.0,) * 3)
    save_supernet(found.supernet, space.supernet(), normal, tuple("abcd"), "the data")
    with registered():
        yield found.folder
