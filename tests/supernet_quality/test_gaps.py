"""Gaps, ranks, claims and costs against numbers by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Script = Callable[[str], ModuleType]


def row(alone: list[float], inherited: float | None = None, tuned: float | None = None) -> Any:
    ways = {"inherited": inherited, "fine-tuned": tuned}
    cost = {"tera_macs": 2.0, "machine": {"threads": 1}}
    return {
        "alone": [{"test": one, "seconds": 3600.0, **cost} for one in alone],
        **{
            way: {"test": one, "seconds": 360.0, **cost, "tera_macs": 0.5}
            for way, one in ways.items()
            if one is not None
        },
    }


def test_gaps_are_paired_and_seeds_averaged(script: Script) -> None:
    found = script("gaps").gaps(
        [row([90.0], 89.5), row([92.0, 94.0], 93.5), row([90.0])], "inherited"
    )
    assert (found["networks"], found["gaps"]) == (2, [-0.5, 0.5])
    assert (found["mean"], found["least"]) == (0.0, -0.5)
    assert found["half"] == pytest.approx(12.7062 * 0.5, abs=1e-3)  # deviation over root 2: 0.5
    assert script("gaps").gaps([row([90.0], 89.0)], "inherited") == {"networks": 1, "gaps": [-1.0]}


def test_ranks_and_the_spread_over_seeds(script: Script) -> None:
    rows = [row([90.0, 92.0, 91.0], 89.0), row([93.0], 92.0), row([92.0], 93.0), row([80.0])]
    found = script("gaps").summary(rows)
    assert found["kendall"] == pytest.approx(1 / 3, abs=1e-3)  # two pairs of three agree
    assert found["deviation over seeds"] == 1.0
    assert found["networks with 3 seeds"] == 1


@pytest.mark.parametrize(("networks", "holds"), [(5, False), (6, True)])
def test_claims_are_of_six_networks(script: Script, networks: int, holds: bool) -> None:
    rows = [row([90.0 + i], 90.0 + i, 90.5 + i) for i in range(networks)]
    held = script("gaps").claims(script("gaps").summary(rows))
    seeds = held.pop("two networks or more with three seeds")
    assert not seeds and len(held) == 6 and set(held.values()) == {holds}


def test_each_claim_fails_by_itself(script: Script) -> None:
    def failing(rows: list[Any]) -> set[str]:
        held = script("gaps").claims(script("gaps").summary(rows))
        return {name for name, holds in held.items() if not holds}

    three = [[90.0, 90.0, 90.0], [91.0, 91.0, 91.0], *([92.0 + i] for i in range(4))]
    good = [row(alone, alone[0], alone[0]) for alone in three]
    assert failing(good) == set()
    assert failing([row([90.0], 90.0, 90.0), *good[1:]]) == {
        "two networks or more with three seeds"
    }
    low = [row(three[0], 90.0 - 1.6, 90.0), *good[1:]]
    assert failing(low) == {"inherited minus alone at least -1.5 everywhere"}
    assert failing([row(one, one[0] - 0.6, one[0]) for one in three]) == {
        "inherited minus alone at least -0.5 in the mean"
    }
    assert failing([row(one, one[0], one[0] - 0.1) for one in three]) == {
        "fine-tuned minus alone at least 0.0 in the mean"
    }
    # Five networks are tuned; and two of fifteen pairs are the other way round: tau is 11 / 15.
    assert failing([row(three[0], 90.0), *good[1:]]) == {
        "six networks or more fine-tuned and alone",
        "fine-tuned minus alone at least 0.0 in the mean",
    }
    crossed = [
        row(one, to, one[0]) for one, to in zip(three, (91, 90, 93, 92, 94, 95), strict=True)
    ]
    assert failing(crossed) == {"Kendall's tau at least 0.8"}


def test_what_each_way_costs(script: Script) -> None:
    rows = [row([90.0, 91.0], 1.0, 90.0), row([90.0]), row([])]
    supernet = {"seconds": 7200.0, "tera_macs": 10.0, "machine": {"threads": 2}}
    assert script("gaps").totals(rows, supernet) == {
        "supernet": {"core_hours": 4.0, "tera_macs": 10.0},
        "all networks alone": {"networks": 2, "core_hours": 2.0, "tera_macs": 4.0},
        "supernet, and all fine-tuned": {"networks": 1, "core_hours": 4.1, "tera_macs": 10.5},
    }
