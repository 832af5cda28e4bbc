"""Nodes that come with a device, and nodes that go."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from nas.engine import opened
from tests.nas.engine.work import Collecting, Placed, cluster, wait_for

pytestmark = pytest.mark.slow
pytest.importorskip("ray")


def test_a_lost_node_costs_what_it_was_doing(tmp_path: Path) -> None:
    with cluster() as nodes, opened("ray") as engine:
        work = Placed(tmp_path)
        collecting = Collecting(engine.map(work, range(6)))
        collecting.start()
        wait_for(lambda: len({node for _, node in work.attempts()}) == 2)
        before = work.attempts()
        assert len(before) == 2, "one core, one piece"
        (lost,) = [number for number, node in before if node == nodes.second.node_id]
        nodes.lose_second()
        wait_for(lambda: not work.works(lost, nodes.second.node_id))
        (tmp_path / "go").touch()
        assert collecting.all() == {n: n * n for n in range(6)}
        attempts = Counter(number for number, _ in work.attempts())
        assert attempts == {number: 2 if number == lost else 1 for number in range(6)}


def test_a_device_that_a_node_has_is_used_there(tmp_path: Path) -> None:
    import ray

    with cluster(resources={"device:phone": 1}) as nodes, opened("ray") as engine:
        (tmp_path / "go").touch()
        work = Placed(tmp_path)
        list(engine.map(work, range(2), ["phone", "pi"]))
        here = ray.get_runtime_context().get_node_id()
        assert set(work.attempts()) == {(0, nodes.second.node_id), (1, here)}
