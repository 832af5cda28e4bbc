"""How good fits were, kept as they come: what is interrupted goes on where it was."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.evaluation import Measures
from search_spaces.errors import ArtefactError
from search_spaces.files import write_atomic

FORMAT = 2
"""Of the file, and of what predictors predict: to be raised when either changes."""
DIGITS = 6


def digest(
    belongs: Mapping[str, str],
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    proxies: Mapping[str, npt.ArrayLike],
) -> str:
    """What measures depend on, but for predictor, sample count and seed: 64 hexadecimal digits.

    ``X`` [n, choices] are rows, ``y`` [n] their labels, ``proxies`` [n] go in beside the rows;
    ``belongs``, by name, is what else there is, such as the space.
    """
    rows, labels = np.asarray(X, dtype=np.int64), np.asarray(y, dtype=np.float64)
    described = json.dumps([sorted(belongs.items()), rows.shape, list(proxies)])
    found = hashlib.sha256(described.encode() + rows.tobytes() + labels.tobytes())
    for values in proxies.values():
        found.update(np.asarray(values, dtype=np.float64).tobytes())
    return found.hexdigest()


class Fits:
    """Measures by data, predictor, sample count and seed, in a JSON file.

    ``document`` is what the file holds; ``fits`` in it are the measures, NaN as null.
    """

    def __init__(self, path: Path, belongs: Mapping[str, str]) -> None:
        """``belongs``: for each data set its ``digest``. Other data sets in the file stay there.

        Raises:
            ArtefactError: the file is something else, or knows one of the data sets as another.
        """
        self.path = path
        self.document: dict[str, Any] = {"format": FORMAT, "belongs": {}, "fits": {}}
        if path.is_file():
            self.document |= _read(path)
        known = self.document["belongs"]
        differ = [name for name in belongs if known.get(name, belongs[name]) != belongs[name]]
        if differ:
            raise ArtefactError(
                f"{path}: its fits are of another {' and '.join(differ)}; remove the file, or "
                "choose another"
            )
        known |= belongs
        for name in belongs:
            self.document["fits"].setdefault(name, {})

    def measured(
        self, data: str, name: str, size: int, seed: int, measure: Callable[[], Measures]
    ) -> Measures:
        """What is known of that fit, else what ``measure`` says, which is kept at once."""
        of_size = self.document["fits"][data].setdefault(name, {}).setdefault(str(size), {})
        if str(seed) not in of_size:
            of_size[str(seed)] = {
                key: round(value, DIGITS) if math.isfinite(value) else None
                for key, value in asdict(measure()).items()
            }
            self.save()
        return _measures(of_size[str(seed)])

    def known(self, data: str) -> dict[str, dict[int, list[Measures]]]:
        """All that is known of a data set: by predictor and sample count, of each seed."""
        return {
            name: {int(size): [*map(_measures, of.values())] for size, of in sizes.items()}
            for name, sizes in self.document["fits"][data].items()
        }

    def save(self) -> None:
        """Write ``document``, atomically."""
        write_atomic(self.path, json.dumps(self.document, allow_nan=False) + "\n")


def _measures(kept: Mapping[str, float | None]) -> Measures:
    return Measures(**{key: math.nan if value is None else value for key, value in kept.items()})


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found, _ = document["format"], (document["belongs"].items(), document["fits"].items())
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise ArtefactError(f"{path}: no file of fits, or damaged; remove it ({error})") from error
    if found != FORMAT:
        raise ArtefactError(
            f"{path}: fits of format {found!r}, not {FORMAT}; remove the file, or choose another"
        )
    return document
