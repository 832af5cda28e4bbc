"""A made-up run and its page, made once."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nas.report import ReportData, gather, render
from nas.run import Run
from tests.nas.report.made_up import make_run
from tests.nas.report.page_parser import Element, parse

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with everything in it; not to be changed."""
    return make_run(tmp_path_factory.mktemp("reported"))


@pytest.fixture
def run(whole: Run, tmp_path: Path) -> Run:
    """A copy that may be changed."""
    shutil.copytree(whole.folder, tmp_path / "a run")
    return Run(tmp_path / "a run")


@pytest.fixture(scope="session")
def data(whole: Run) -> ReportData:
    return gather(whole, NOW)


@pytest.fixture(scope="session")
def page(data: ReportData) -> Element:
    return parse(render(data))
