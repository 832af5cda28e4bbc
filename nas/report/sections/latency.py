"""How good the latency tables are, by their own account."""

from __future__ import annotations

from collections.abc import Mapping

from nas.report.data import ReportData, Table
from nas.report.draw.markup import Html, el
from nas.report.draw.numbers import MISSING, fixed
from nas.report.sections.common import command, missing, section, table

__all__ = ["latency"]

HEADER = (
    "resolution",
    "networks",
    "MAPE",
    "bias",
    "within 2.5%",
    "within 5%",
    "within 10%",
    "Spearman",
    "Kendall",
    "in 90% interval",
    "repeat noise",
)
SHARES = (
    "mape",
    "bias",
    "within_2_5",
    "within_5",
    "within_10",
)


def latency(data: ReportData) -> Html:
    """The part about latency tables."""
    return section(
        "latency",
        "The latency table's own error",
        [_table(one) for one in data.tables]
        or missing("There is no latency table.", command(data, "measure")),
    )


def _table(one: Table) -> Html:
    campaign = one.campaign
    return el(
        "div",
        table(
            f"Table {one.name}: error on whole networks that it was not fitted on, in %",
            HEADER,
            [_row(resolution, figures) for resolution, figures in sorted(one.accuracy.items())],
        )
        if one.accuracy
        else el("p", "No network was held out: the table's error is not known.", class_="missing"),
        el(
            "p",
            "Repeat noise is how far two halves of the same campaign were from each other: no "
            "table can be much better. ",
            _circumstances(campaign),
            class_="small",
        ),
        el(
            "p",
            "The machine was too noisy for this table and it was kept because that was asked; "
            "measure it again on a quiet machine.",
            class_="warning",
        )
        if campaign.get("noisy")
        else None,
        el(
            "p",
            f"Resolution {campaign['from_donors']}: few networks were measured and no blocks, the "
            "rest comes from tables of other devices. The error is that of each network as the "
            "others predict it.",
            class_="small",
        )
        if campaign.get("from_donors")
        else None,
    )


def _row(resolution: str, figures: Mapping[str, float | None]) -> list[str]:
    def percent(name: str) -> str:
        value = figures.get(name)
        return MISSING if value is None else fixed(100 * value, 1)

    return [
        resolution,
        f"{figures.get('networks', 0):.0f}",
        *map(percent, SHARES),
        fixed(figures.get("spearman"), 3),
        fixed(figures.get("kendall"), 3),
        percent("coverage_90"),
        percent("repeat_noise"),
    ]


def _circumstances(campaign: Mapping[str, object]) -> str:
    said = []
    if "when" in campaign:
        said.append(f"Measured {campaign['when']}.")
    if "rounds" in campaign and "runs" in campaign:
        said.append(f"{campaign['rounds']} rounds of {campaign['runs']} runs.")
    steady, differ = campaign.get("steady"), campaign.get("disagreement")
    if isinstance(steady, int | float) and isinstance(differ, int | float):
        said.append(
            f"The reference networks kept still in {100 * steady:.0f}% of the windows; the "
            f"halves differ by {100 * differ:.1f}%."
        )
    return " ".join(said)
