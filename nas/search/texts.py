"""Rows as text, the way a study's file has them: options separated by commas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nas.search.searcher import Rows

COMMA, ZERO = ord(","), ord("0")


def written(rows: Rows) -> list[str]:
    """A text for each row [n, choices]."""
    if rows.size and rows.max() > 9:
        return [",".join(map(str, row)) for row in rows.tolist()]
    # All at once, since every option is one digit.
    n, width = rows.shape
    letters = np.full((n, 2 * width), COMMA, dtype=np.uint8)
    letters[:, ::2] = rows + ZERO
    text = letters.tobytes().decode("ascii")
    step = 2 * width
    return [text[start : start + step - 1] for start in range(0, n * step, step)]


def read(texts: list[str], choices: int) -> npt.NDArray[np.int64]:
    """The rows [n, choices] of such texts."""
    options = [int(option) for text in texts for option in text.split(",")]
    return np.array(options, dtype=np.int64).reshape(-1, choices)
