"""``nas export``: the chosen subnet as a checked ONNX file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx

from nas.dataset import image_options
from nas.export import ExportOptions, model, save_checked
from nas.jobs.trained import TrainedRun
from nas.photographs import photographs
from nas.weights import FineTuned, load_subnet
from search_spaces import Architecture
from search_spaces.errors import ArtefactError
from search_spaces.subnet import Subnet

__all__ = ["CHECKED", "export_run", "fine_tuned", "onnx_model"]

CHECKED = 256
"""Held-out images that the file is compared on before it is left."""
HELD_OUT, PHOTOGRAPHS = "held-out images", "crops of photographs"


def fine_tuned(trained: TrainedRun, file: Path) -> FineTuned:
    """The fine-tuned subnet in ``file``.

    Raises:
        ArtefactError: no such file, or one of another space or other images than the run's.
    """
    tuned = load_subnet(file, trained.space)
    ours, theirs = trained.header, tuned.header
    differ = [
        name
        for name in ("data", "classes", "mean", "std")
        if getattr(ours, name) != getattr(theirs, name)
    ]
    if differ:
        raise ArtefactError(
            f"{file}: fine-tuned in another run, on images of other {' and '.join(differ)}; export "
            "it from the run that it was fine-tuned in"
        )
    return tuned


def onnx_model(
    trained: TrainedRun,
    subnet: Subnet,
    architecture: Architecture,
    options: ExportOptions,
    weights: str = "",
) -> onnx.ModelProto:
    """The subnet as an ONNX model that says what it belongs to.

    ``weights`` is the digest of its own, where they are not the supernet's.
    """
    space = trained.space
    belongs = {
        "space_digest": space.identity,
        "weights_digest": weights or trained.trained.digest,
        "data_digest": trained.header.data,
        "network_digest": space.digest(architecture),
    }
    return model(
        subnet,
        architecture,
        trained.trained.normalisation,
        trained.trained.classes,
        belongs,
        options,
        image_options(trained.config.images) if trained.has_images else None,
    )


def export_run(
    trained: TrainedRun,
    architecture: Architecture,
    out: Path,
    options: ExportOptions,
    tuned: FineTuned | None = None,
) -> dict[str, Any]:
    """Extract, recalibrate, write, compare on real images, and only then leave the file.

    Those are held-out ones; a run without images is compared on crops of two photographs.
    ``tuned`` are weights of this architecture's own.

    Raises:
        NasLoopError: the file does not agree with PyTorch, or an artefact does not fit.
    """
    options.preprocessing(trained.trained.normalisation)
    trained.space.encode(architecture)
    subnet = trained.evaluator.network(architecture) if tuned is None else tuned.subnet
    file = onnx_model(trained, subnet, architecture, options, tuned.digest if tuned else "")
    if trained.has_images:
        images, _ = trained.dataset.images.held_out(CHECKED)
    else:
        images = photographs(subnet.plan.image.shape[-1], CHECKED // 4)
    result = save_checked(out, file, subnet, trained.trained.normalisation, options, images)
    return {
        "file": str(out),
        "bytes": out.stat().st_size,
        "metadata": {prop.key: prop.value for prop in file.metadata_props},
        "agreement": asdict(result),
        "compared_on": HELD_OUT if trained.has_images else PHOTOGRAPHS,
    }
