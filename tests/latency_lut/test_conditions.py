from __future__ import annotations

import pytest

from latency_lut.conditions import described, remarks


def test_what_is_absent_is_said_to_be() -> None:
    told = described({"governor": "powersave", "celsius": None, "load": 0.5})
    assert told == "governor powersave, celsius absent, load 0.5"
    assert described({}) == ""


@pytest.mark.parametrize("governor", ["powersave", "ondemand, performance"])
def test_a_governor_that_moves_the_clock_is_remarked_upon(governor: str) -> None:
    (remark,) = remarks({"governor": governor})
    assert f"clock is {governor}, not performance" in remark and "cpupower" in remark


def test_nothing_is_said_of_a_steady_clock_or_one_that_is_not_told() -> None:
    assert remarks({"governor": "performance"}) == remarks({"governor": None}) == remarks({}) == []
