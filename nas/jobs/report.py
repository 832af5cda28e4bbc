"""``nas report``: the only place that reads test images."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.jobs.tested import TestPart
from nas.jobs.trained import TrainedRun
from nas.jobs.tuned import test_fine_tuned
from nas.report import gather, write_report
from nas.run import Run
from nas.terminal import Screen
from search_spaces import Architecture
from search_spaces.errors import ArtefactError, SpaceError

__all__ = ["report_command", "test_front"]


def test_front(
    part: TestPart, found: Run, front: dict[str, Any], screen: Screen
) -> list[dict[str, Any]]:
    """Test accuracy in percent of every point of a front of ``found``, in its order.

    Points that an earlier call tested with the same weights and images are not run again.
    """
    trained = part.trained
    known = part.known(_file(found), _accuracies)
    points = []
    with screen.progress("test the front", len(front["points"])) as advance:
        for done, point in enumerate(front["points"]):
            architecture = Architecture.from_json(json.dumps(point["architecture"]))
            digest = trained.space.digest(architecture)
            if digest not in known:
                known[digest] = trained.evaluator.accuracy(architecture, part.images, part.labels)
            points.append({"digest": digest, "test_accuracy": known[digest]})
            advance(done + 1, "subnets")
    part.keep(_file(found), points=points)
    return points


def report_command(folder: Path, screen: Screen, searched: Path | None = None) -> dict[str, Any]:
    """The command ``nas report``: test the front and what was fine-tuned, if there is any, and
    write ``report.html``.

    ``searched`` is the folder of a search that did not write into the run; it gets the report.

    Raises:
        ArtefactError: the folder is no run, or has no search; a front of other weights.
    """
    run = Run.open(folder)
    found = run if searched is None else _search(searched, folder)
    result: dict[str, Any] = {"report": str(found.report)}
    if run.supernet.is_file():
        trained = TrainedRun(run)
        part = TestPart(trained)
        if found.front.is_file():
            front = _front(trained, found.front)
            if trained.has_images:
                tested = test_front(part, found, front, screen)
                result["test_accuracy"] = tested[front["best"]]["test_accuracy"]
        if searched is None and trained.has_images:
            tuned = test_fine_tuned(part, screen)
            if tuned:
                result["finetuned"] = [asdict(one) for one in tuned]
    write_report(gather(run, searched=searched), found.report)
    return result


def _search(folder: Path, run: Path) -> Run:
    found = Run(folder)
    if not found.front.is_file() and not found.fleet_document.is_file():
        raise ArtefactError(
            f"--search {folder}: not the folder of a search (it has neither {found.front.name} nor "
            f"{found.fleet_document.name}); `nas search {run} ... -o {folder}` makes one"
            f"{found.and_earlier(found.front) or found.and_earlier(found.fleet_document)}"
        )
    return found


def _front(trained: TrainedRun, path: Path) -> dict[str, Any]:
    """``front.json``, if it is whole and of these weights."""
    try:
        front = json.loads(path.read_text(encoding="utf-8"))
        weights = front["weights"]
        front["points"][front["best"]]
        for point in front["points"]:
            trained.space.encode(Architecture.from_json(json.dumps(point["architecture"])))
    except (ValueError, KeyError, TypeError, IndexError, SpaceError) as error:
        raise ArtefactError(
            f"{path}: damaged, or not of this run ({type(error).__name__}: {error}); search again"
        ) from error
    if weights != trained.belongs()["weights"]:
        raise ArtefactError(
            f"{path}: the front of other weights than {trained.run.supernet}; search again"
        )
    return front


def _file(run: Run) -> Path:
    return run.folder / "test.json"


def _accuracies(document: dict[str, Any]) -> dict[str, float]:
    return {point["digest"]: point["test_accuracy"] for point in document["points"]}
