"""Test accuracy of the subnets that were fine-tuned in a run, beside what they inherit."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nas.jobs.export import fine_tuned
from nas.jobs.tested import TestPart
from nas.jobs.tuning import DOCUMENT, FINETUNED
from nas.report.data import TunedSubnet
from nas.terminal import Screen
from nas.training.evaluate import correct
from search_spaces.errors import ArtefactError

__all__ = ["test_fine_tuned"]


def test_fine_tuned(part: TestPart, screen: Screen) -> list[TunedSubnet]:
    """All fine-tunings that ended in ``RUN/finetuned``, by the names of their folders.

    Those that an earlier call tested with the same weights and images are not run again. The
    outcome is left in ``RUN/finetuned_test.json``, with a sentence for each that cannot be tested;
    where there are none, so is no outcome.

    Raises:
        ArtefactError: the supernet's weights are damaged, or other images were given.
    """
    run = part.trained.run
    folders = sorted(path.parent for path in run.tunings.glob(f"*/{DOCUMENT}"))
    if not folders:
        run.tunings_test.unlink(missing_ok=True)
        return []
    inherits = part.trained.evaluator  # the supernet, or an error that is of no single subnet
    known = part.known(run.tunings_test, _by_weights)
    tested, left_out = [], []
    with screen.progress("test fine-tuned subnets", len(folders)) as advance:
        for done, folder in enumerate(folders, start=1):
            try:
                tuned = fine_tuned(part.trained, folder / FINETUNED)
                held_out = _held_out(folder / DOCUMENT, part.belongs()["weights"])
            except ArtefactError as error:
                left_out.append(str(error))
                continue
            one = known.get(tuned.digest)
            if one is None:
                architecture = tuned.architecture
                scores = inherits.logits(tuned.subnet, architecture, part.images)
                one = TunedSubnet(
                    folder.name,
                    tuned.digest,
                    *held_out,
                    inherits.accuracy(architecture, part.images, part.labels),
                    correct(scores, part.labels),
                )
            tested.append(replace(one, folder=folder.name))
            advance(done, "subnets")
    part.keep(run.tunings_test, subnets=[asdict(one) for one in tested], left_out=left_out)
    return tested


def _held_out(file: Path, supernet: str) -> tuple[float, float]:
    """Held-out accuracies, inherited and fine-tuned, that a fine-tuning wrote."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        taken = document["supernet"]
        found = float(document["val_inherited"]), float(document["val_finetuned"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"{file}: damaged, or of an older version ({type(error).__name__}: {error}); --resume "
            "of that fine-tuning writes it again"
        ) from error
    if taken != supernet:
        raise ArtefactError(
            f"{file}: fine-tuned from other weights than the run's; fine-tune again"
        )
    return found


def _by_weights(document: dict[str, Any]) -> dict[str, TunedSubnet]:
    return {one["weights"]: TunedSubnet(**one) for one in document["subnets"]}
