"""Experiments ask the packages, and each other, for names that exist.

They run for hours, so the suite does not run them; a name that moved would be met only then.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[1] / "experiments"
SCRIPTS = sorted(EXPERIMENTS.rglob("*.py"))
OURS = ("nas", "search_spaces", "predictors", "latency_lut")


def taken(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """What ``from MODULE import NAME`` takes, wherever it stands in a script."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def top_level(path: Path) -> set[str]:
    """The names that a script defines or imports."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def test_there_are_experiments() -> None:
    assert len(SCRIPTS) > 20


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(EXPERIMENTS)))
def test_names_that_an_experiment_takes_exist(script: Path) -> None:
    beside = {path.stem: path for path in SCRIPTS}
    for module, name in taken(ast.parse(script.read_text())):
        if module.split(".")[0] in OURS:
            found = importlib.import_module(module)
            if not hasattr(found, name):
                importlib.import_module(f"{module}.{name}")
        elif module in beside:
            assert name in top_level(beside[module]), f"{module} has no {name}"
