"""The page: all parts in one self-contained file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

from nas.report.data import ReportData
from nas.report.draw.markup import Html, el
from nas.report.sections.costs import costs
from nas.report.sections.finetuned import finetuned
from nas.report.sections.fleet import fleet
from nas.report.sections.frontier import frontier
from nas.report.sections.history import history
from nas.report.sections.latency import latency
from nas.report.sections.network import network
from nas.report.sections.origin import origin
from nas.report.sections.overview import overview, sentence
from nas.report.sections.prediction import prediction
from nas.report.sections.training import training
from search_spaces.files import write_atomic

__all__ = ["render", "write_report"]

PARTS = {
    "frontier": ("Frontier", frontier),
    "prediction": ("Predictions", prediction),
    "network": ("Network", network),
    "training": ("Training", training),
    "costs": ("Costs", costs),
    "finetuned": ("Fine-tuned", finetuned),
    "fleet": ("Fleet", fleet),
    "latency": ("Latency table", latency),
    "search": ("Search", history),
    "provenance": ("Provenance", origin),
}
OPTIONAL: Mapping[str, Callable[[ReportData], bool]] = {
    "fleet": lambda data: data.fleet is not None,
    "finetuned": lambda data: data.tuned is not None and bool(data.tuned.subnets),
}
"""Parts that few runs have, and that nobody misses elsewhere."""


def render(data: ReportData) -> str:
    """The page as text: HTML with its style sheet and its figures, and nothing to load."""
    style = resources.files("nas.report").joinpath("style.css").read_text(encoding="utf-8")
    parts = {n: part for n, part in PARTS.items() if n not in OPTIONAL or OPTIONAL[n](data)}
    links = [el("li", el("a", title, href=f"#{name}")) for name, (title, _) in parts.items()]
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", sentence(data)),
        el("style", Html(style)),
    )
    body = el(
        "body",
        overview(data),
        el("nav", el("ul", links), aria_label="Parts of the report"),
        el("main", [part(data) for _, part in parts.values()]),
    )
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def write_report(data: ReportData, path: str | Path) -> None:
    """Write the page atomically.

    Raises:
        NasLoopError: the file cannot be written; an old one is kept.
    """
    write_atomic(path, render(data))
