"""Every file of a run says which version of its format it has."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors import safe_open

from tests.nas.conftest import Job

WITHOUT = {"log.csv", "best.onnx", "report.html"}
"""For people and other programs: a table, a format with versions of its own, a page."""


def of_json(path: Path) -> Any:
    return json.loads(path.read_text())["format"]


def of_weights(path: Path) -> Any:
    with safe_open(str(path), framework="numpy") as file:
        return json.loads(file.metadata()["nas-loop"])["format"]


def of_sqlite(path: Path, table: str, column: str) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        query = f"SELECT value FROM {table} WHERE {column} = 'format'"
        ((value,),) = connection.execute(query)
    return json.loads(value)


# A version is raised where a format changes, and here with it.
FILES: dict[str, tuple[int, Callable[[Path], Any]]] = {
    "config.yaml": (1, lambda path: yaml.safe_load(path.read_text())["version"]),
    "checkpoint.pt": (2, lambda path: torch.load(path, weights_only=True)["format"]),
    "supernet.safetensors": (1, of_weights),
    "latency/cpu.json": (7, lambda path: json.loads(path.read_text())["version"]),
    "samples.sqlite": (2, lambda path: of_sqlite(path, "belongs", "name")),
    "study.sqlite": (2, lambda path: of_sqlite(path, "study", "key")[0]),
    "measured.json": (1, of_json),
    "front.json": (3, of_json),
    "best.json": (1, of_json),
    "curves.json": (1, of_json),
    "test.json": (1, of_json),
}


@pytest.mark.parametrize("name", FILES)
def test_files_carry_a_version(name: str, job: Job) -> None:
    version, read = FILES[name]
    assert read(job.run / name) == version


def test_no_file_of_a_run_is_left_out(job: Job) -> None:
    found = {str(path.relative_to(job.run)) for path in job.run.rglob("*") if path.is_file()}
    assert found == set(FILES) | WITHOUT
