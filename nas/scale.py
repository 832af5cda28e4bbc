"""What a score is, as an axis says it: its name and its unit, ``accuracy, %``."""

from __future__ import annotations

__all__ = ["ACCURACY", "capitalised", "name_and_unit", "valued", "worded"]

ACCURACY = "accuracy, %"


def name_and_unit(scale: str) -> tuple[str, str]:
    """The two parts of a scale."""
    name, _, unit = scale.rpartition(", ")
    return name, unit


def capitalised(name: str) -> str:
    """As it begins a line; the rest stays as it is."""
    return name[:1].upper() + name[1:]


def worded(scale: str, score: float) -> str:
    """A score as it stands in a sentence: ``MACs 302.5 million``, ``predicted accuracy 76.1%``."""
    return f"{name_and_unit(scale)[0]} {valued(scale, score)}"


def valued(scale: str, score: float) -> str:
    """A score with its unit alone: ``302.5 million``, ``76.1%``."""
    unit = name_and_unit(scale)[1]
    return f"{score:.4g}{'' if unit == '%' else ' '}{unit}"
