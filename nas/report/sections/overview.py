"""The result in one sentence, and in six figures."""

from __future__ import annotations

from nas.report.data import ReportData
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import fixed, significant
from nas.report.fronts import Fleet
from nas.report.sections.common import missing, search_command
from nas.scale import capitalised, name_and_unit, worded

__all__ = ["overview", "sentence"]


def sentence(data: ReportData) -> str:
    """What the whole run comes to."""
    front = data.front
    if front is None and data.fleet is not None:
        return _compromise(data.fleet)
    if front is None:
        state = "trained, not searched yet" if data.trained else "not trained yet"
        if data.imported:
            state = "imported, not searched yet"
        return f"No network is chosen: {state}"
    best, device = front.best, front.device or {}
    where = f" on {device['cpu']}" if device.get("cpu") else ""
    if isinstance(threads := device.get("threads"), int):
        where += f", {threads} thread{'s' * (threads != 1)}"
    if not front.tried:
        accuracy = f"{worded(front.scale, best.score)} ({front.guide})"
    else:
        accuracy = f"{fixed(best.val_accuracy, 1)}% validation"
    if data.test is not None:
        accuracy += f", {fixed(data.test.accuracy[front.chosen], 1)}% test"
    return (
        f"Chosen: {significant(best.latency_ms)} ms measured (budget "
        f"{significant(front.budget_ms)} ms){where}; {accuracy}"
    )


def _compromise(fleet: Fleet) -> str:
    best = fleet.points[fleet.compromise]
    latencies = ", ".join(
        f"{one.name} {significant(best.latency_ms[one.name])} ms {one.basis} "
        f"(budget {significant(one.limit_ms)} ms)"
        for one in fleet.devices
    )
    if best.val_accuracy is None:
        quality = f"{worded(fleet.scale, best.score)} ({fleet.guide})"
    else:
        quality = f"{fixed(best.val_accuracy, 1)}% validation"
    return f"Chosen for all: {latencies}; {quality}"


def overview(data: ReportData) -> Html:
    """The head of the page."""
    return el(
        "header",
        el("p", "nas-loop report · ", data.folder, class_="eyebrow"),
        el("h1", sentence(data).replace(" ms", "\u00a0ms")),
        _next_step(data),
        [el("p", text, class_="warning", role="note") for text in data.warnings],
        _figures(data),
    )


def _next_step(data: ReportData) -> Html | None:
    if data.front is not None or data.fleet is not None:
        return None
    if not data.trained:
        return missing("There are no trained weights.", data.provenance.commands[0])
    return missing("There is no front.", search_command(data))


def _figures(data: ReportData) -> Html | None:
    if data.front is None:
        return None
    best = data.front.best
    tested = data.test.accuracy[data.front.chosen] if data.test else None
    name, unit = name_and_unit(data.front.scale)
    figures = (
        ("Latency", significant(best.latency_ms), "ms"),
        *(
            (
                ("Validation", fixed(best.val_accuracy, 2), "%"),
                ("Test", fixed(tested, 2), "%"),
            )
            if data.front.tried
            else (
                (capitalised(name), significant(best.score, 4), unit),
                ("Parameters", significant(best.parameters / 1e6), "million"),
            )
        ),
        ("Throughput, one by one", significant(best.throughput), "images/s"),
        ("Model", significant(best.model_mb), "MB"),
        ("Memory", significant(best.peak_memory_mb), "MB"),
    )
    return el(
        "dl",
        [
            el("div", el("dt", name), el("dd", value, el("span", " ", unit)))
            for name, value, unit in figures
        ],
        class_="figures",
    )
