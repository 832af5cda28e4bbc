"""A trained subnet as an ONNX file that was compared with PyTorch before it was left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from torch import Tensor

from nas.architectures import METADATA
from nas.data.augment import Normalisation, normalise
from nas.data.decode import FILTER_NAME, ImageOptions
from search_spaces import Architecture
from search_spaces.errors import NasLoopError
from search_spaces.files import write_atomic
from search_spaces.onnx import INPUT, OPSET, OUTPUT, Preprocessing, write
from search_spaces.subnet import Subnet, module_name

__all__ = [
    "TIMED",
    "Agreement",
    "ExportOptions",
    "agreement",
    "arrays",
    "model",
    "save_checked",
]

TOLERANCE = 1e-3
"""Of the largest logit: weights from elsewhere may have logits of any scale."""
TIE = 1e-4
BATCH = 100


@dataclass(frozen=True)
class ExportOptions:
    """What the file looks like from outside.

    Attributes:
        raw: take pixels from 0 to 255 and normalise them inside the graph.
        dtype: of raw pixels, float32 or uint8.
        layout: NCHW or NHWC.
        batch: a fixed number, or None for a free one.
    """

    raw: bool = False
    dtype: str = "float32"
    layout: str = "NCHW"
    batch: int | None = 1

    def preprocessing(self, normalisation: Normalisation) -> Preprocessing | None:
        """What stands at the head of the graph; None if it takes normalised NCHW floats.

        Raises:
            NasLoopError: options that contradict each other.
        """
        mean = tuple(value / 255 for value in normalisation.mean)
        std = tuple(value / 255 for value in normalisation.std)
        within = Preprocessing(mean, std, True, self.dtype, self.layout)  # type: ignore[arg-type]
        if self.raw:
            return within
        if self.dtype != "float32" or self.layout != "NCHW":
            raise NasLoopError(
                f"{self.dtype} pixels in {self.layout} need the normalisation inside "
                "the graph; add --raw"
            )
        return None

    @property
    def apart(self) -> str:
        """What the file takes that networks which are timed do not, in words; empty if nothing."""
        said = []
        if self.raw:
            said.append(f"raw {self.dtype} pixels in {self.layout}")
        if self.batch != 1:
            said.append("any number of images" if self.batch is None else f"{self.batch} images")
        return " and ".join(said)


TIMED = ExportOptions()
"""What tables and searches time networks with: one image, normalised floats in NCHW."""


def arrays(subnet: Subnet) -> dict[str, dict[str, npt.NDArray[np.float32]]]:
    """The weights of a subnet by weights key, as the writer takes them."""
    return {
        node.weights: {
            name: tensor.detach().cpu().numpy()
            for name, tensor in subnet.blocks[module_name(node.weights)].state_dict().items()
        }
        for node in subnet.plan.nodes
    }


def model(
    subnet: Subnet,
    architecture: Architecture,
    normalisation: Normalisation,
    classes: tuple[str, ...],
    belongs: Mapping[str, str],
    options: ExportOptions,
    images: ImageOptions | None,
) -> onnx.ModelProto:
    """The ONNX model with all that a deployer needs among its metadata.

    Args:
        belongs: digests of what the network comes from (space, weights, data).
        images: how the images became square and of one size before training, if that is known.
    """
    size = subnet.plan.image.shape[-1]
    channels = ("R", "G", "B")
    metadata = {
        "producer": f"nas-loop {version('nas-loop')}",
        "input_name": INPUT,
        "output_name": OUTPUT,
        "input_layout": options.layout,
        "input_size": f"{size}x{size}",
        "input_dtype": options.dtype,
        "input_channels": "".join(channels),
        "input_range": "0 to 255" if options.raw else "(pixel - mean) / std, pixel from 0 to 255",
        **({} if images is None else _image_metadata(images, size)),
        "normalisation": json.dumps(
            {
                "inside_the_graph": options.raw,
                "mean": dict(zip(channels, normalisation.mean, strict=True)),
                "std": dict(zip(channels, normalisation.std, strict=True)),
            }
        ),
        "classes": json.dumps(classes),
        # What latencies of a search are of: with anything else the file takes another time.
        "input_as_timed": f"no, takes {options.apart}" if options.apart else "yes",
        "batch": "dynamic" if options.batch is None else str(options.batch),
        "opset": str(OPSET),
        METADATA: json.dumps(json.loads(architecture.to_json())),
        **belongs,
    }
    return write(
        subnet.plan,
        arrays(subnet),
        batch=options.batch,
        preprocessing=options.preprocessing(normalisation),
        metadata=metadata,
    )


def _image_metadata(images: ImageOptions, size: int) -> dict[str, str]:
    """An image is made square and of the first size, then of the second if that is another."""
    return {
        "image_fit": images.fit,
        "image_background": json.dumps(images.background),
        "image_sizes": json.dumps(list(dict.fromkeys((images.size, size)))),
        "image_filter": FILTER_NAME,
    }


@dataclass(frozen=True)
class Agreement:
    """How ONNX Runtime and PyTorch compare on real images.

    Attributes:
        images: how many were compared.
        largest_difference: over all logits.
        largest_logit: the largest absolute one.
        ties: images whose two best logits differ by less than ``TIE`` and decide differently.
        different: other images with another top-1 class.
    """

    images: int
    largest_difference: float
    largest_logit: float
    ties: int
    different: int

    @property
    def holds(self) -> bool:
        """No class differs but by a tie, and logits agree within ``TOLERANCE`` of the largest."""
        return self.different == 0 and self.largest_difference <= TOLERANCE * self.largest_logit


def agreement(
    file: onnx.ModelProto | Path,
    subnet: Subnet,
    normalisation: Normalisation,
    options: ExportOptions,
    images: Tensor,
) -> Agreement:
    """Compare the model with ``subnet`` on uint8 images [N, C, H, W]."""
    source = str(file) if isinstance(file, Path) else file.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    size = subnet.plan.image.shape[-1]
    ours, theirs = [], []
    step = options.batch or BATCH
    for start in range(0, len(images), step):
        part = images[start : start + step]
        x = normalise(part, normalisation, size)
        with torch.inference_mode():
            ours.append(subnet(x).numpy())
        feed = _feed(part, x, options)
        if options.batch:  # The last images may be fewer than a fixed batch.
            lacking = [(0, options.batch - len(part)), *[(0, 0)] * (feed.ndim - 1)]
            feed = np.pad(feed, lacking, mode="edge")
        theirs.append(session.run([OUTPUT], {INPUT: feed})[0][: len(part)])
    a, b = np.concatenate(ours), np.concatenate(theirs)
    best = np.sort(a, axis=1)
    close = best[:, -1] - best[:, -2] < TIE
    other = a.argmax(1) != b.argmax(1)
    return Agreement(
        len(a),
        float(np.abs(a - b).max()),
        float(np.abs(a).max()),
        int((other & close).sum()),
        int((other & ~close).sum()),
    )


def _feed(pixels: Tensor, x: Tensor, options: ExportOptions) -> npt.NDArray[np.generic]:
    if not options.raw:
        return np.ascontiguousarray(x.numpy())
    size = x.shape[-1]
    raw = normalise(pixels, Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), size).numpy()
    if options.layout == "NHWC":
        raw = raw.transpose(0, 2, 3, 1)
    return np.ascontiguousarray(raw.astype(options.dtype))


def save_checked(
    path: Path,
    file: onnx.ModelProto,
    subnet: Subnet,
    normalisation: Normalisation,
    options: ExportOptions,
    images: Tensor,
) -> Agreement:
    """Write ``file`` atomically if it agrees with PyTorch on ``images``, else leave nothing.

    Raises:
        NasLoopError: it does not agree, or cannot be written.
    """
    onnx.checker.check_model(file, full_check=True)
    result = agreement(file, subnet, normalisation, options, images)
    if not result.holds:
        raise NasLoopError(
            f"{path} was not written: on {result.images} images {result.different} have another "
            f"class than in PyTorch and logits differ by up to {result.largest_difference:.2g} "
            f"(at most {TOLERANCE * result.largest_logit:.2g} is allowed)"
        )
    write_atomic(path, file.SerializeToString())
    return result
