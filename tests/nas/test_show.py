from __future__ import annotations

import io
import json

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

import search_spaces
from nas import show
from search_spaces import Architecture
from search_spaces.errors import SpaceError

SPACE = search_spaces.get("small-images")


class Table:
    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return SPACE.macs(X) / 1e6


def architectures(n: int) -> list[Architecture]:
    return [SPACE.decode(row) for row in SPACE.sample(n, np.random.default_rng(1))]


def printed(renderable: object, color: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=300, force_terminal=color, color_system="truecolor")
    console.print(renderable)
    return stream.getvalue()


def test_a_dictionary_for_json_says_what_the_plan_is() -> None:
    given = architectures(2)
    shown = show.to_dict(given, SPACE, Table(), names=["a", "b"])
    assert json.loads(json.dumps(shown)) == shown
    assert (shown["space"], shown["identity"]) == (SPACE.name, SPACE.identity)
    for entry, architecture, name in zip(shown["architectures"], given, "ab", strict=True):
        plan = SPACE.lower(architecture)
        assert entry["name"] == name
        assert entry["digest"] == SPACE.digest(architecture)
        assert (entry["macs"], entry["parameters"]) == (plan.macs, plan.params)
        assert entry["predicted_latency_ms"] == plan.macs / 1e6
        assert [layer["slot"] for layer in entry["layers"]] == [node.slot for node in plan.nodes]
        used = SPACE.used(SPACE.encode(architecture))[0]
        for (choice, value), read in zip(architecture.values, used, strict=True):
            assert entry["choices"][choice] == (value if read else None)
    assert "predicted_latency_ms" not in show.to_dict(given, SPACE)["architectures"][0]


def test_a_picture_has_everything_side_by_side() -> None:
    given = architectures(2)
    text = printed(show.render(given, SPACE, Table(), names=["first.json", "second.json"]))
    entries = show.to_dict(given, SPACE)["architectures"]
    for expected in ("first.json", "second.json", "latency, predicted", "MMACs", "classifier"):
        assert expected in text
    for entry in entries:
        assert f"{entry['parameters']:,}" in text
        assert f"{entry['macs'] / 1e6:.3f} ms" in text
        for layer in entry["layers"]:
            assert layer["layer"] in text


def test_what_differs_is_highlighted_and_what_is_equal_is_not() -> None:
    one, other = architectures(2)
    highlighted = printed(show.render([one, other], SPACE), color=True)
    plain = printed(show.render([one, one], SPACE), color=True)
    assert "\x1b[1;33m" in highlighted
    assert "\x1b[1;33m" not in plain


def test_layers_are_described_by_what_makes_them() -> None:
    specs = {node.slot: node.spec for node in SPACE.lower_row(SPACE.largest).nodes}
    assert show.describe(specs["s1.1"]) == (
        "FusedMBConv 32x16x16 → 32x16x16 kernel 3, middle 64 (×2), residual"
    )
    assert show.describe(specs["classifier"]) == "Classifier 256x4x4 → 10"
    assert show.describe(specs["s4.0"]).endswith("kernel 5, stride 2, middle 200 (×2.5)")


def test_names_are_given_or_numbers() -> None:
    text = printed(show.render(architectures(3), SPACE))
    assert all(f"#{i}" in text for i in (1, 2, 3))
    with pytest.raises(SpaceError, match="one name for each"):
        show.render(architectures(2), SPACE, names=["alone"])
    with pytest.raises(SpaceError, match="at least one"):
        show.to_dict([], SPACE)
    foreign = search_spaces.get("small-images", num_classes=3)
    with pytest.raises(SpaceError, match="not of "):
        show.to_dict([foreign.decode(foreign.smallest)], SPACE)
