"""Test accuracy of the subnets that were fine-tuned in a run, beside what they inherit."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from nas.data.batches import as_tensors
from nas.jobs.export import fine_tuned
from nas.jobs.trained import TrainedRun
from nas.jobs.tuning import DOCUMENT, FINETUNED
from nas.terminal import Screen
from nas.training.evaluate import correct
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

__all__ = ["TunedSubnet", "test_fine_tuned"]

FORMAT = 1


@dataclass(frozen=True)
class TunedSubnet:
    """A fine-tuning in the run's folder ``folder``: accuracies in percent; digests of its weights
    and of the network.
    """

    folder: str
    weights: str
    network: str
    val_inherited: float
    val_finetuned: float
    test_inherited: float
    test_finetuned: float


def test_fine_tuned(trained: TrainedRun, screen: Screen) -> list[TunedSubnet]:
    """All fine-tunings that ended in ``RUN/finetuned``, by the names of their folders.

    Those that an earlier call tested with the same weights and images are not run again. The
    outcome is left in ``test.json`` there, with a sentence for each that cannot be tested.
    """
    inside = trained.run.tunings
    folders = sorted(path.parent for path in inside.glob(f"*/{DOCUMENT}"))
    if not folders:
        return []
    test = trained.dataset.splits.test()
    images, labels = as_tensors(test)
    belongs = {"weights": trained.belongs()["weights"], "data": test.fingerprint}
    known = _known(trained.run.tunings_test, belongs)
    tested, left_out = [], []
    with screen.progress("test fine-tuned subnets", len(folders)) as advance:
        for done, folder in enumerate(folders, start=1):
            try:
                tested.append(_tested(trained, folder, images, labels, known))
            except ArtefactError as error:
                left_out.append(str(error))
            advance(done, "subnets")
    document = {
        "format": FORMAT,
        **belongs,
        "images": len(labels),
        "subnets": [asdict(one) for one in tested],
        "left_out": left_out,
    }
    write_atomic(trained.run.tunings_test, json.dumps(document, indent=1) + "\n")
    return tested


def _tested(
    trained: TrainedRun,
    folder: Path,
    images: Tensor,
    labels: Tensor,
    known: dict[str, TunedSubnet],
) -> TunedSubnet:
    """Both accuracies; raises ``ArtefactError`` for files that are damaged, or of other images."""
    tuned = fine_tuned(trained, folder / FINETUNED)
    if tuned.digest in known:
        return replace(known[tuned.digest], folder=folder.name)
    try:
        document = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        held_out = float(document["val_inherited"]), float(document["val_finetuned"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtefactError(
            f"{folder / DOCUMENT}: damaged ({type(error).__name__}: {error}); --resume of that "
            "fine-tuning writes it again"
        ) from error
    architecture = tuned.architecture
    scores = trained.evaluator.logits(tuned.subnet, architecture, images)
    return TunedSubnet(
        folder.name,
        tuned.digest,
        trained.space.digest(architecture),
        *held_out,
        trained.evaluator.accuracy(architecture, images, labels),
        correct(scores, labels),
    )


def _known(file: Path, belongs: dict[str, str]) -> dict[str, TunedSubnet]:
    """What an earlier call found, by the digest of weights; nothing where that is of others."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if any(document[name] != value for name, value in belongs.items()):
            return {}
        return {one["weights"]: TunedSubnet(**one) for one in document["subnets"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
