from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import predictors
import search_spaces
from predictors import PredictorError
from search_spaces.errors import ArtefactError

BELONGS = {"weights": "abc", "data": "def"}
SPACE = search_spaces.get("small-images")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    rows = SPACE.sample(30, np.random.default_rng(0))
    path = tmp_path / "predictor.npz"
    predictor = predictors.get("ridge", SPACE, labels="log MACs", belongs=BELONGS)
    predictor.fit(rows, np.log(SPACE.macs(rows)), proxies={"p": rows.sum(1)}).save(path)
    return path


def test_what_it_belongs_to_is_remembered_and_something_else_refused(
    saved: Path, tmp_path: Path
) -> None:
    loaded = predictors.load(saved, SPACE)
    assert (loaded.belongs, loaded.labels, loaded.proxies) == (BELONGS, "log MACs", ("p",))
    assert predictors.load(saved, SPACE, belongs=BELONGS).name == "ridge"
    for other, says in (
        ({"data": "ghi"}, r"fitted on other data \(def, not ghi\); fit one with `nas predict RUN`"),
        ({"weights": "x"}, r"fitted on other weights \(abc, not x\)"),
        ({"data": "", "weights": "x"}, r"data \(def, not none\) and weights"),
        ({"card": "x"}, r"other card \(none, not x\)"),
    ):
        with pytest.raises(ArtefactError, match=says):
            predictors.load(saved, SPACE, belongs=other)
    loaded.belongs = None
    loaded.save(tmp_path / "unsaid.npz")
    assert predictors.load(tmp_path / "unsaid.npz", SPACE).belongs is None
    with pytest.raises(ArtefactError, match=r"does not say .* \(weights and data\); fit one with"):
        predictors.load(tmp_path / "unsaid.npz", SPACE, belongs=BELONGS)


def test_other_resolutions_are_another_space(tmp_path: Path) -> None:
    path = tmp_path / "predictor.npz"
    spaces = [
        search_spaces.get("small-images", resolutions=sides) for sides in ((24, 28), (24, 32))
    ]
    rows = spaces[0].sample(30, np.random.default_rng(0))
    predictors.get("ridge", spaces[0]).fit(rows, np.log(spaces[0].macs(rows))).save(path)
    assert predictors.load(path, spaces[0]).predict(rows).shape == (30,)
    with pytest.raises(ArtefactError, match=r"fitted for space .* fit one for this space"):
        predictors.load(path, spaces[1])


def test_what_is_no_predictor_is_refused(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    for damaged in (b"", b"hello", whole[: len(whole) // 2], whole[:-30]):
        saved.write_bytes(damaged)
        with pytest.raises(ArtefactError, match="not a saved predictor, or truncated"):
            predictors.load(saved, SPACE)
    with pytest.raises(ArtefactError, match="no such file"):
        predictors.load(tmp_path / "none.npz", SPACE)
    np.savez(saved, something=np.zeros(3))
    with pytest.raises(ArtefactError, match="not a saved predictor"):
        predictors.load(saved, SPACE)
    np.savez(saved, header=np.array(["a", {}], dtype=object))
    with pytest.raises(ArtefactError, match="not a saved predictor"):
        predictors.load(saved, SPACE)


Arrays = dict[str, Any]


def without(name: str) -> Callable[[Arrays, Arrays], object]:
    return lambda header, arrays: arrays.pop(name)


def said(key: str, value: object) -> Callable[[Arrays, Arrays], object]:
    return lambda document, _: document["header"].__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda document, _: document.update(format=9), "format 9 is not 3"),
        (lambda document, _: document.pop("scale"), "it has no 'scale'"),
        (lambda document, _: document["header"].pop("identity"), "not a saved predictor"),
        (lambda document, _: document["header"].pop("belongs"), "not a saved predictor"),
        (lambda document, _: document["scale"].update(power="a"), "damaged; fit it again"),
        (said("proxies", [1]), "not a saved predictor"),
        (said("proxies", None), "not a saved predictor"),
        (said("belongs", ["a"]), "not a saved predictor"),
        (said("name", "rigde"), "damaged; .*did you mean 'ridge'"),
        (said("name", "gp"), "damaged; fit it again"),
        (said("proxies", ["p", "q"]), "damaged; fit it again"),
        (without("weights"), "damaged; fit it again .'weights'"),
        (without("features.known"), "damaged; fit it again"),
        (lambda _, arrays: arrays.update(weights=arrays["weights"][:-1]), "damaged"),
        (lambda _, arrays: arrays.update(bias=np.array(np.nan)), "does not predict numbers"),
    ],
)
def test_what_is_damaged_or_of_another_version_is_refused(
    saved: Path, change: Callable[[Arrays, Arrays], object], says: str
) -> None:
    with np.load(saved) as archive:
        arrays = {key: archive[key] for key in archive.files}
    document = json.loads(str(arrays.pop("header")))
    change(document, arrays)
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(json.dumps(document)), **arrays)
    saved.write_bytes(buffer.getvalue())
    with pytest.raises(ArtefactError, match=says):
        predictors.load(saved, SPACE)


def test_nothing_fitted_is_nothing_saved(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match="nothing to save"):
        predictors.get("auto", SPACE).save(tmp_path / "p.npz")
    assert not list(tmp_path.iterdir())


def test_a_file_that_commands_would_take_for_a_name_is_not_written(
    saved: Path, tmp_path: Path
) -> None:
    fitted = predictors.load(saved, SPACE)
    for name in ("p.bin", "p", "p.npz.part"):
        with pytest.raises(PredictorError, match=rf"file ends with \.npz; got .*{name}"):
            fitted.save(tmp_path / name)
    assert [*tmp_path.iterdir()] == [saved]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(PredictorError, match=r"no predictor 'rigde'.*did you mean 'ridge'"):
        predictors.get("rigde", SPACE)
