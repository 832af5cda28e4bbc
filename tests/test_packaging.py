"""What the metadata promises: a complete wheel, pinned versions, skips that fail where asked."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("nas", "search_spaces", "predictors", "latency_lut")


@pytest.fixture(scope="module")
def metadata() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def requirements(text: str) -> list[Requirement]:
    """The requirements in a list of them, one a line."""
    lines = (line.strip() for line in text.splitlines())
    return [Requirement(line) for line in lines if line and line[0] != "#"]


def installed_by(asked: Iterable[Requirement]) -> set[str]:
    """Names of all distributions that pip installs here for ``asked``."""
    waiting = [(requirement, "") for requirement in asked]
    done = set()
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        further = [Requirement(line) for line in requires(name) or ()]
        if name == "torch":  # Its CUDA packages, asked for by system, it pins itself.
            further = [one for one in further if "platform_system" not in str(one.marker)]
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in done:
                done.add((name, wanted))
                waiting += [(one, wanted) for one in further]
    return {name for name, _ in done}


def test_the_wheel_holds_all_of_the_packages_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", reason="needs setuptools to build a wheel")
    source = tmp_path / "source"
    # A copy, because building writes into the folder that it builds.
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    (source / "README.md").write_text("# nas-loop\n")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*build, "-w", str(tmp_path), str(source)], check=True)
    (wheel,) = tmp_path.glob("nas_loop-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
        (entry_points,) = (name for name in found if name.endswith("entry_points.txt"))
        assert "nas = nas.cli:main" in archive.read(entry_points).decode()
    expected = {
        str(path.relative_to(source))
        for name in PACKAGES
        for path in (source / name).rglob("*")
        if path.is_file()
    }
    assert {name for name in found if ".dist-info/" not in name} == expected
    assert {f"{name}/py.typed" for name in PACKAGES} <= expected


def test_everything_is_pinned(metadata: configparser.ConfigParser) -> None:
    pinned = requirements((ROOT / "constraints.txt").read_text())
    assert "torch==2.13.0" in map(str, pinned)
    assert all(re.fullmatch(r"==[^,*]+", str(one.specifier)) for one in pinned)
    asked = metadata["options"]["install_requires"] + metadata["options.extras_require"]["dev"]
    needed = installed_by(requirements(asked))
    assert {"torch", "typing-extensions", "mdurl"} <= needed  # asked for, needed by that, by those
    assert needed <= {canonicalize_name(one.name) for one in pinned}


def test_every_requirement_has_its_reason(metadata: configparser.ConfigParser) -> None:
    text = (ROOT / "setup.cfg").read_text()
    block = text.split("install_requires =\n")[1].split("\n\n")[0].splitlines()
    for comment, requirement in zip(block[::2], block[1::2], strict=True):
        assert comment.strip().startswith("#"), requirement


@pytest.mark.parametrize("option", [[], ["--fail-on-skip"]])
def test_a_skipped_test_fails_where_asked(option: list[str], tmp_path: Path) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_skip.py").write_text(
        "import pytest\ndef test_it(): pytest.skip('no such device')\n"
    )
    (tmp_path / "test_whole.py").write_text("import pytest\npytest.importorskip('not_there')\n")
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--continue-on-collection-errors", *option],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (not option), done.stdout
    assert done.stdout.count("--fail-on-skip forbids it") >= 2 * len(option)
    assert "no such device" in done.stdout
    assert "not_there" in done.stdout


def test_the_main_jobs_tests_are_there() -> None:
    """Files that `make test-job` names."""
    program = shutil.which("make")
    if program is None:
        pytest.skip("needs make")
    command = [program, "--dry-run", "--assume-old", ".venv/.ready", "test-job"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = re.findall(r"tests/\S+", said)
    assert len(named) > 50
    assert [name for name in named if not (ROOT / name).exists()] == []
