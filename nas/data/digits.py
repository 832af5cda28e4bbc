"""The built-in data set: scikit-learn's 1,797 handwritten digits, 8x8 grey."""

from __future__ import annotations

from nas.data.npz import part_of_arrays
from nas.data.source import Source

__all__ = ["DIGITS", "read_digits"]

DIGITS = "digits"


def read_digits() -> Source:
    """The digits, 0-16 scaled to 0-255; without a test part."""
    # Here, because scikit-learn takes a second to import and only the demo needs it.
    from sklearn.datasets import load_digits

    data = load_digits()
    part = part_of_arrays(data.images / 16, data.target, DIGITS)
    return Source(DIGITS, tuple(str(n) for n in data.target_names), {"train": part})
