"""Reading an ONNX file and settling what its inputs are when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from search_spaces.errors import ArtefactError

__all__ = ["ImageModel", "proto_of", "read"]

PIXELS = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT8: "uint8",
    TensorProto.INT8: "int8",
}
COLOURS = (1, 3, 4)
SIZE = 224

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ImageModel:
    """A model with the shapes that it is run with.

    ``shapes`` has those of all inputs, open dimensions settled; ``image`` is the input that takes
    the images, ``layout`` NCHW or NHWC, ``dtype`` of its elements.
    """

    path: Path
    proto: onnx.ModelProto
    image: str
    layout: str
    dtype: str
    shapes: Mapping[str, Shape]

    @property
    def batch(self) -> int:
        """Images in a run."""
        return self.shapes[self.image][0]

    @property
    def side(self) -> int:
        """The width of the images in pixels."""
        return self.shapes[self.image][3 if self.layout == "NCHW" else 2]

    @property
    def opset(self) -> int:
        """The version of the standard operators."""
        return max(o.version for o in self.proto.opset_import if o.domain in ("", "ai.onnx"))

    @property
    def file_bytes(self) -> int:
        """The size of the file, and of the files beside it that hold its weights."""
        beside = {
            entry.value
            for tensor in self.proto.graph.initializer
            for entry in tensor.external_data
            if entry.key == "location"
        }
        files = [self.path, *(self.path.parent / name for name in sorted(beside))]
        return sum(file.stat().st_size for file in files)

    def content(self) -> bytes:
        """The model as one file."""
        if all(t.data_location != TensorProto.EXTERNAL for t in self.proto.graph.initializer):
            return self.path.read_bytes()
        whole = onnx.load(self.path)
        return whole.SerializeToString()


def read(path: str | Path, size: int | None = None) -> ImageModel:
    """The model in the file ``path``; open dimensions become batch 1 and images of side ``size``.

    Without ``size`` open sides are 224. Raises ``ArtefactError`` if there is no such file, it is
    no ONNX model, or nothing that it takes looks like images.
    """
    path = Path(path)
    proto = proto_of(path)
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    images = [value for value in inputs if _takes_images(value)]
    if not images:
        seen = ", ".join(f"{v.name} {_declared(v)}" for v in inputs) or "none"
        raise ArtefactError(
            f"{path}: an image model has an input of four dimensions, [N, C, H, W] or "
            f"[N, H, W, C]; the inputs are {seen}"
        )
    image = images[0]
    layout = _layout(_declared(image))
    shapes = {value.name: _settled(value, value is image, layout, size or SIZE) for value in inputs}
    dtype = PIXELS[image.type.tensor_type.elem_type]
    return ImageModel(path, proto, image.name, layout, dtype, shapes)


def proto_of(path: Path) -> onnx.ModelProto:
    """The file ``path`` as it is; raises ``ArtefactError`` if there is none, or no ONNX model."""
    try:
        # From bytes, because by name `onnx.load` would read some suffixes as text.
        proto = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ArtefactError(f"{path}: no model can be read there ({error.strerror})") from error
    except (DecodeError, ValueError) as error:
        raise ArtefactError(f"{path}: this is no ONNX model, or a truncated one") from error
    if not proto.graph.node or not proto.opset_import:
        raise ArtefactError(f"{path}: this is no ONNX model; it has no operators")
    return proto


def _declared(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    dimensions = value.type.tensor_type.shape.dim
    return tuple(
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in dimensions
    )


def _takes_images(value: onnx.ValueInfoProto) -> bool:
    return len(_declared(value)) == 4 and value.type.tensor_type.elem_type in PIXELS


def _layout(shape: tuple[int | None, ...]) -> str:
    """By where the colours are; an open shape is taken for NCHW, the habit of ONNX."""
    if shape[1] in COLOURS or shape[3] not in COLOURS:
        return "NCHW"
    return "NHWC"


def _settled(value: onnx.ValueInfoProto, is_image: bool, layout: str, size: int) -> Shape:
    usual = {"NCHW": (1, 3, size, size), "NHWC": (1, size, size, 3)}[layout]
    return tuple(
        length if length is not None else (usual[position] if is_image else 1)
        for position, length in enumerate(_declared(value))
    )
