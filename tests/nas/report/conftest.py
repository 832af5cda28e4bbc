"""A made-up run, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nas.run import Run
from tests.nas.report.made_up import make_run


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with everything in it; not to be changed."""
    return make_run(tmp_path_factory.mktemp("reported"))


@pytest.fixture
def run(whole: Run, tmp_path: Path) -> Run:
    """A copy that may be changed."""
    shutil.copytree(whole.folder, tmp_path / "a run")
    return Run(tmp_path / "a run")
