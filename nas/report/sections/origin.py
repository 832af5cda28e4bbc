"""Where everything on the page comes from."""

from __future__ import annotations

from nas.report.data import ReportData
from nas.report.draw.markup import Html, el
from nas.report.sections.common import section

__all__ = ["origin"]


def origin(data: ReportData) -> Html:
    """Identities, versions, seeds, dates, commands, the configuration."""
    provenance = data.provenance
    return section(
        "provenance",
        "Provenance",
        el(
            "dl",
            [el("div", el("dt", name), el("dd", text)) for name, text in provenance.facts.items()],
            class_="facts",
        ),
        el("p", "Commands that make such a run:"),
        el("pre", el("code", "\n".join(provenance.commands)), tabindex=0),
        el(
            "details",
            el("summary", "Configuration"),
            el("pre", el("code", provenance.config), tabindex=0),
        ),
    )
