"""Where maps end: pooling and linear layers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from search_spaces.errors import SpaceError
from search_spaces.specs.base import LayerSpec, Tensor, known_activation


@dataclass(frozen=True)
class Classifier(LayerSpec):
    """Global average pooling and a linear layer: [C, H, W] to [classes].

    With ``hidden`` above 0 a linear layer without bias and the activation ``act`` stand between:
    the efficient last stage of MobileNetV3 (Howard et al. 2019, section 5.1).
    """

    classes: int
    hidden: int = field(default=0, kw_only=True)
    act: str = field(default="none", kw_only=True)

    @classmethod
    def resolve(  # type: ignore[override]
        cls, inputs: tuple[Tensor, ...], *, classes: int, hidden: int = 0, act: str = "none"
    ) -> Self:
        return cls(inputs, classes, hidden=hidden, act=act)

    def __post_init__(self) -> None:
        known_activation(self.act)
        if not self.hidden and self.act != "none":
            raise SpaceError(f"activation {self.act!r} stands behind a hidden layer; hidden is 0")

    @property
    def features(self) -> int:
        """What the last linear layer takes."""
        return self.hidden or self.channels

    @property
    def output(self) -> Tensor:
        return replace(self.inputs[0], shape=(self.classes,))

    @property
    def macs(self) -> int:
        return self.channels * self.hidden + self.features * self.classes

    @property
    def params(self) -> int:
        return self.channels * self.hidden + self.features * self.classes + self.classes
