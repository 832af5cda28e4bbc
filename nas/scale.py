"""What a score is, as an axis says it: its name and its unit, ``accuracy, %``."""

from __future__ import annotations

__all__ = ["ACCURACY", "name_and_unit", "worded"]

ACCURACY = "accuracy, %"


def name_and_unit(scale: str) -> tuple[str, str]:
    """The two parts of a scale."""
    name, _, unit = scale.rpartition(", ")
    return name, unit


def worded(scale: str, score: float) -> str:
    """A score as it stands in a sentence: ``MACs 302.5 million``, ``predicted accuracy 76.1%``."""
    name, unit = name_and_unit(scale)
    return f"{name} {score:.4g}{'' if unit == '%' else ' '}{unit}"
