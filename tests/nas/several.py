"""A run to fine-tune several subnets of, and what such a search leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from search_spaces.files import sha256_of
from search_spaces.space import Floats, Population
from tests.nas.made_tables import START_MS, made_up_table
from tests.nas.tiny import Said, nas, rows, tiny, write_config, write_images

SPACE = tiny()


def latency(networks: Population) -> Floats:
    """As the table has it: a start, and the MACs."""
    return START_MS + SPACE.macs(networks) / 1e8


def some(n: int) -> Population:
    """Different networks, the same ones in every test."""
    sample = SPACE.sample(4 * n, np.random.default_rng(7))
    return sample[np.sort(np.unique(sample, axis=0, return_index=True)[1])][:n]


LIMIT_MS = float(np.median(latency(some(100))))
# Every third of them on the front of the run's search; the best of it stand last.
SEARCHED = some(12)


def searched_run(folder: Path) -> Path:
    """Trained, with a table that was made up, and a front of some networks."""
    config = write_config(folder / "nas.yaml", write_images(folder / "images.npz"))
    said = nas("train", config, "--out", folder / "run")
    assert said.code == 0, said.err
    run = folder / "run"
    (run / "latency").mkdir()
    made_up_table(SPACE).save(run / "latency" / "cpu.json")
    points = [
        {"score": float(score), "architecture": json.loads(SPACE.decode(row).to_json())}
        for score, row in enumerate(SEARCHED)
    ]
    front = {
        "weights": sha256_of(run / "supernet.safetensors"),
        "points": points[::3],
        "dominated": [*points[1::3], *points[2::3]],
    }
    (run / "front.json").write_text(json.dumps(front))
    return run


def studied(out: Path) -> list[tuple[tuple[int, ...], float, float]]:
    """Rows, fidelities and errors of a study, in its order."""
    return [
        (tuple(map(int, line[1].split(","))), line[3], line[4])
        for line in rows(out / "study.sqlite", "evaluations")
    ]


def halving(run: Path, *more: object) -> Said:
    """Of as many epochs as it takes unless told otherwise."""
    given = ("--searcher", "halving", "--latency-ms", LIMIT_MS)
    return nas("finetune", run, *given, "--json", *more)


def lines(out: Path) -> list[int]:
    """How many epochs each subnet was trained, by its log."""
    return sorted(len(file.read_text().splitlines()) - 1 for file in out.glob("trials/*/log.csv"))


def same(one: Path, other: Path) -> None:
    """Two searches that ended alike."""
    assert studied(one) == studied(other)
    first, second = (load_file(out / "subnet.safetensors") for out in (one, other))
    assert all(torch.equal(first[name], second[name]) for name in first)
