from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

import predictors
import search_spaces
from predictors import PredictorError
from search_spaces.errors import ArtefactError

SPACE = search_spaces.get("small-images")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    rows = SPACE.sample(30, np.random.default_rng(0))
    path = tmp_path / "predictor.npz"
    predictors.get("ridge", SPACE, data="abc").fit(rows, np.log(SPACE.macs(rows))).save(path)
    return path


def test_the_data_is_remembered_and_other_data_refused(saved: Path) -> None:
    assert predictors.load(saved, SPACE).data == "abc"
    assert predictors.load(saved, SPACE, data="abc").name == "ridge"
    with pytest.raises(ArtefactError, match="fitted on data 'abc', not on 'def'"):
        predictors.load(saved, SPACE, data="def")


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


def test_another_version_is_refused(saved: Path) -> None:
    with np.load(saved) as archive:
        arrays = {key: archive[key] for key in archive.files}
    header = json.loads(str(arrays.pop("header")))
    buffer = io.BytesIO()
    np.savez(buffer, header=np.array(json.dumps(header | {"format": 9})), **arrays)
    saved.write_bytes(buffer.getvalue())
    with pytest.raises(ArtefactError, match="format 9 is not 3"):
        predictors.load(saved, SPACE)


def test_nothing_fitted_is_nothing_saved(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match="nothing to save"):
        predictors.get("auto", SPACE).save(tmp_path / "p.npz")
    assert not list(tmp_path.iterdir())


def test_unknown_names_are_refused() -> None:
    with pytest.raises(PredictorError, match=r"no predictor 'rigde'.*did you mean 'ridge'"):
        predictors.get("rigde", SPACE)
