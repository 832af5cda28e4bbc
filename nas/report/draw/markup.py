"""HTML and SVG elements; whatever is not markup already is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["Child", "Html", "el", "fragment"]

VOID = frozenset({"br", "meta", "hr"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def el(tag: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """An element. ``class_`` becomes class, ``stroke_width`` stroke-width; None leaves out."""
    opened = [tag]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            opened.append(attribute)
        elif value is not None and value is not False:
            text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
            opened.append(f'{attribute}="{escape(str(text))}"')
    start = f"<{' '.join(opened)}>"
    return Html(start if tag in VOID else f"{start}{fragment(*children)}</{tag}>")


def fragment(*children: Child) -> Html:
    """Children one after another, text escaped."""
    return Html("".join(_text(child) for child in children))


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str | int | float):
        return escape(str(child))
    return fragment(*child)
