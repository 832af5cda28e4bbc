"""The test images of a run, and what was found on them before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from nas.data.batches import as_tensors
from nas.jobs.trained import TrainedRun
from search_spaces.files import write_atomic

__all__ = ["TestPart"]

FORMAT = 1
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class TestPart:
    """Test images, read when they are first asked for: into memory, or mapped (``data.cache``)."""

    trained: TrainedRun

    @cached_property
    def _part(self) -> tuple[Tensor, Tensor, str]:
        part = self.trained.dataset.splits.test()
        return *as_tensors(part), part.fingerprint

    @property
    def images(self) -> Tensor:
        """uint8 [N, 3, H, W]."""
        return self._part[0]

    @property
    def labels(self) -> Tensor:
        """int64 [N]."""
        return self._part[1]

    def belongs(self) -> dict[str, str]:
        """What results on them depend on: the supernet's weights, the images."""
        return {"weights": self.trained.belongs()["weights"], "data": self._part[2]}

    def known(self, file: Path, read: Callable[[dict[str, Any]], dict[str, T]]) -> dict[str, T]:
        """What ``read`` finds in a document that ``keep`` left; nothing if it is of others."""
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            if any(document[k] != v for k, v in {"format": FORMAT, **self.belongs()}.items()):
                return {}
            return read(document)
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def keep(self, file: Path, **found: Any) -> None:
        """Write what was found, with what it belongs to."""
        document = {"format": FORMAT, **self.belongs(), "images": len(self.labels), **found}
        write_atomic(file, json.dumps(document, indent=1) + "\n")
