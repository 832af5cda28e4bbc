from __future__ import annotations

import json
from pathlib import Path

import pytest

from latency_lut import Latency
from nas.jobs.budget import SearchOptions
from nas.jobs.measured import recall, remember
from nas.jobs.rounds import Candidate
from search_spaces.errors import ArtefactError

BELONGS = {"table": "t", "weights": "w"}
ROUNDS = [
    [Candidate((0, 1), 24, {"score": 91.5, "low": None}, Latency(1.0, 0.1, (0.9, 1.1), 0.8, 4))],
    [Candidate((2, 1), 32, {"score": 92.5}, Latency(2.0, 0.1, (1.9, 2.1), 1.8, 4))],
]


def test_what_was_measured_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    assert recall(path, BELONGS) == []
    remember(path, BELONGS, ROUNDS[:1])
    assert recall(path, BELONGS) == ROUNDS[:1]
    remember(path, BELONGS, ROUNDS)
    assert recall(path, BELONGS) == ROUNDS


def test_that_of_another_search_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    remember(path, BELONGS, ROUNDS)
    with pytest.raises(ArtefactError, match="of another search .the latency table changed"):
        recall(path, {**BELONGS, "table": "another"})


def test_options_that_differ_are_named_as_they_are_typed(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    begun = SearchOptions(0.5, "hyperband", confidence=0.9, limits=(("macs", 3e8),), seed=1)
    remember(path, {**BELONGS, "options": str(begun)}, ROUNDS)
    with pytest.raises(ArtefactError) as said:
        recall(path, {**BELONGS, "options": str(SearchOptions(0.5, seed=1, minutes=2.0))})
    assert str(said.value).endswith(
        "(it was started with --searcher hyperband, with --confidence 0.9, with --limit "
        "macs=300000000.0, without --minutes); repeat that, leave out --resume, or choose another "
        "-o"
    )


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"format": 9}', "cut"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "measured.json"
    remember(path, BELONGS, ROUNDS)
    text = path.read_text()
    path.write_text(text[: len(text) // 2] if damage == "cut" else damage)
    with pytest.raises(ArtefactError, match=r"measured.json: .* are damaged"):
        recall(path, BELONGS)
    lacking = json.loads(text)
    del lacking["rounds"][0][0]["latency"]
    path.write_text(json.dumps(lacking))
    with pytest.raises(ArtefactError, match="are damaged .*latency"):
        recall(path, BELONGS)
