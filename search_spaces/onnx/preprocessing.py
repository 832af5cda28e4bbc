"""What stands between the pixels of a user and the tensor of training, inside the graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from onnx import TensorProto

from search_spaces.errors import SpaceError
from search_spaces.onnx.graph import Graph

PART = "preprocessing"


@dataclass(frozen=True)
class Preprocessing:
    """``mean`` and ``std`` of each channel on the scale of 0 to 1, as training subtracts them.

    With ``raw`` the file takes pixels from 0 to 255, otherwise from 0 to 1; ``dtype`` uint8 is
    for raw pixels only. ``layout`` is that of the file's input, [N, C, H, W] or [N, H, W, C].
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    raw: bool = True
    dtype: Literal["float32", "uint8"] = "float32"
    layout: Literal["NCHW", "NHWC"] = "NCHW"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not all(deviation > 0 for deviation in self.std):
            raise SpaceError(
                "preprocessing has one mean and one std above 0 for each channel; got mean "
                f"{self.mean} and std {self.std}"
            )
        if self.dtype not in ("float32", "uint8") or self.layout not in ("NCHW", "NHWC"):
            raise SpaceError(
                "preprocessing takes float32 or uint8 in NCHW or NHWC; got "
                f"{self.dtype} in {self.layout}"
            )
        if self.dtype == "uint8" and not self.raw:
            raise SpaceError("uint8 pixels run from 0 to 255: pass raw=True with dtype='uint8'")

    @property
    def element_type(self) -> int:
        """ONNX's number of ``dtype``."""
        return int(TensorProto.UINT8 if self.dtype == "uint8" else TensorProto.FLOAT)

    def input_shape(self, channels: int, height: int, width: int) -> tuple[int, int, int]:
        """The shape of one image at the file's input; checks the number of channels."""
        if channels != len(self.mean):
            raise SpaceError(
                f"the network takes {channels} channels, preprocessing has {len(self.mean)} means"
            )
        return (channels, height, width) if self.layout == "NCHW" else (height, width, channels)

    def emit(self, graph: Graph, value: str) -> str:
        """The normalised image [N, C, H, W] float32 of the file's input ``value``."""
        if self.dtype == "uint8":
            value = graph.node("Cast", PART, [value], to=TensorProto.FLOAT)
        if self.layout == "NHWC":
            value = graph.node("Transpose", PART, [value], perm=[0, 3, 1, 2])
        top = 255.0 if self.raw else 1.0
        shape = (1, len(self.mean), 1, 1)
        mean = np.array(self.mean, dtype=np.float64) * top
        std = np.array(self.std, dtype=np.float64) * top
        mean_name = graph.constant(f"{PART}.mean", mean.astype(np.float32).reshape(shape))
        std_name = graph.constant(f"{PART}.std", std.astype(np.float32).reshape(shape))
        value = graph.node("Sub", PART, [value, mean_name])
        return graph.node("Div", PART, [value, std_name])
