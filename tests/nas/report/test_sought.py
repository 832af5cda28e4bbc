"""Further objectives and limits of a search in its report."""

from __future__ import annotations

from dataclasses import replace

from nas.report.data import ReportData
from nas.report.fronts import Fleet, FleetDevice, FleetPoint, Sought
from nas.report.sections.costs import costs
from nas.report.sections.fleet import fleet
from nas.report.sections.frontier import frontier
from nas.report.sections.history import history
from nas.report.sections.network import network
from tests.nas.report.page_parser import parse


def test_points_beyond_a_limit_are_told_from_those_that_keep_it(data: ReportData) -> None:
    assert data.front is not None
    points = tuple(
        replace(point, quantities={"energy_mj@pi4": 2.0 if number else 7.5})
        for number, point in enumerate(data.front.points)
    )
    sought = (Sought("energy_mj@pi4", "mJ", "predicted", limit=3.0),)
    front = replace(data.front, points=points, sought=sought)
    page = str(costs(replace(data, front=front)))
    assert page.count("beyond a limit") == 1 and "7.500" in page
    assert "energy_mj@pi4, mJ (predicted)" in page
    assert "energy_mj@pi4 (at most 3 mJ, predicted)" in page
    assert "Asked for beside" not in str(costs(data))


def test_a_lower_limit_on_accuracy(data: ReportData) -> None:
    assert data.front is not None
    scores = sorted(point.score for point in data.front.points)
    least = Sought("accuracy", "%", "measured", True, (scores[0] + scores[1]) / 2, least=True)
    # With a budget that all keep, the least accurate one breaks this limit alone.
    front = replace(data.front, sought=(least,), budget_ms=1e9, chosen=len(scores) - 1)
    assert str(costs(replace(data, front=front))).count("beyond a limit") == 1


def test_a_fleet(data: ReportData) -> None:
    devices = (
        FleetDevice("pi4", 5.0, "measured", (1, 0), 0),
        FleetDevice("pixel", 7.0, "predicted", (1,), 1),
    )
    points = (
        FleetPoint(81.0, 80.5, {"pi4": 4.5, "pixel": 9.0}, {"pi4": 0.0, "pixel": None}),
        FleetPoint(78.75, 79.0, {"pi4": 3.5, "pixel": 6.0}, {"pi4": 2.25, "pixel": 0.0}),
    )
    page = str(fleet(replace(data, fleet=Fleet(devices, points, 1))))
    # The regret is the difference of two numbers beside it, and words before them say of which.
    pi4 = next(row for row in parse(page).all("tr") if row.text.startswith("pi4"))
    cells = [cell.text for cell in pi4.all("td")]
    assert cells[3:] == ["81.000", "3.500", "78.750", "2.250"]
    assert page.index("weighted by how exact they are") < page.index("<table")
    assert "Latencies on pixel are predictions of the tables alone" in page
    assert page.count("for all") >= 1 and "2.25" in page and "80.50" in page
    assert str(fleet(data)).count("--fleet TABLE=MS") == 2
    # Where there is nothing but a fleet, parts of a search for one device lead there.
    alone = replace(data, front=None, fleet=Fleet(devices, points, 1))
    for part in (frontier, costs, history, network):
        text = str(part(replace(alone, network=None)))
        assert "The search was for a fleet" in text and 'href="#fleet"' in text
        assert "nas search" not in text
        assert "nas search" in str(part(replace(alone, network=None, fleet=None)))
