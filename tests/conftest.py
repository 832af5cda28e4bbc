"""What all tests share: the data folder, and skips that count as failures where asked."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.latency_lut.sshd import Sshd

ROOT = Path(__file__).resolve().parents[1]

# Read when OpenMP and BLAS are loaded. Tests run side by side, one on each core: threads of several
# that wait for each other would spin in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fail-on-skip", action="store_true", help="a skipped test is a failure (used in .ci/run)"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first, so that no worker is left alone with one in the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report, item)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    # A module that skips itself, by importorskip for instance, never reaches the hook above.
    report = yield
    _refuse_skip(report, collector)
    return report


def _refuse_skip(
    report: pytest.TestReport | pytest.CollectReport, node: pytest.Item | pytest.Collector
) -> None:
    if report.skipped and node.config.getoption("--fail-on-skip"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{node.nodeid}: --fail-on-skip forbids it. {reason}"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data sets and golden files: NAS_LOOP_DATA, else beside the checkout."""
    given = os.environ.get("NAS_LOOP_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the data folder, set NAS_LOOP_DATA ({folder} is not there)")
    return folder


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An sshd on the loopback interface."""
    from tests.latency_lut.sshd import running

    with running(tmp_path_factory.mktemp("sshd")) as server:
        yield server
