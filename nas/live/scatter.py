"""Points as text: a small chart made of Braille patterns, eight dots a character."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.search.searcher import Floats

__all__ = ["scatter", "sparkline"]

# Bits of a Braille pattern by row and column of its dots (Unicode 15, block 2800 to 28FF).
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
EMPTY = 0x2800
HEIGHTS = "▁▂▃▄▅▆▇█"


def scatter(
    points: Floats, names: tuple[str, str], width: int = 60, height: int = 10, *, plain: bool
) -> list[str]:
    """Lines with the points [n, 2], x and y, in a frame that says the ends of both ranges.

    Args:
        names: what x and y are.
        width: characters of the plot without its labels; ``height``: lines of it.
        plain: for terminals that know ASCII alone; a point is then an asterisk.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    body = (_asterisks if plain else _braille)(_shares(points, low, high), width, height)
    top, bottom = f"{high[1]:.4g}", f"{low[1]:.4g}"
    margin = max(len(top), len(bottom))
    labels = [top, *[""] * (height - 2), bottom]
    side, corner, floor = ("|", "+", "-") if plain else ("│", "└", "─")
    left, right = f"{low[0]:.4g}", f"{high[0]:.4g}"
    between = max(1, width - len(left) - len(right))
    return [
        f"{'':{margin}} {names[1]}",
        *(f"{label:>{margin}} {side}{line}" for label, line in zip(labels, body, strict=True)),
        f"{'':{margin}} {corner}{floor * width}",
        f"{'':{margin}}  {left}{names[0]:^{between}}{right}",
    ]


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """The last of ``values`` as a row of bars, from the least to the most of those shown."""
    shown = list(values)[-width:]
    low, high = min(shown), max(shown)
    unit = (len(HEIGHTS) - 1) / (high - low) if high > low else 0.0
    return "".join(HEIGHTS[round((value - low) * unit)] for value in shown)


def _shares(points: Floats, low: Floats, high: Floats) -> Floats:
    """Places from 0 to 1, the second axis downwards as lines run; 0.5 where all are equal."""
    width = high - low
    found = np.where(width > 0, (points - low) / np.where(width > 0, width, 1), 0.5)
    found[:, 1] = 1 - found[:, 1]
    return found


def _braille(shares: Floats, width: int, height: int) -> list[str]:
    rows, columns = DOTS.shape
    x = np.rint(shares[:, 0] * (columns * width - 1)).astype(int)
    y = np.rint(shares[:, 1] * (rows * height - 1)).astype(int)
    cells = np.zeros((height, width), dtype=int)
    np.bitwise_or.at(cells, (y // rows, x // columns), DOTS[y % rows, x % columns])
    return ["".join(chr(EMPTY + bits) for bits in line) for line in cells.tolist()]


def _asterisks(shares: Floats, width: int, height: int) -> list[str]:
    cells = np.full((height, width), " ")
    x = np.rint(shares[:, 0] * (width - 1)).astype(int)
    y = np.rint(shares[:, 1] * (height - 1)).astype(int)
    cells[y, x] = "*"
    return ["".join(line) for line in cells]
