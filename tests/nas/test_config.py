from __future__ import annotations

from dataclasses import fields, replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import latency_lut
from nas.config import (
    PHASES,
    Config,
    DataConfig,
    LatencyConfig,
    Phase,
    SearchConfig,
    SpaceConfig,
    TrainConfig,
)
from search_spaces.errors import ConfigError, NasLoopError

positive = st.floats(1e-12, 1e12)
part = st.floats(0.001, 0.999)


@st.composite
def configs(draw: Any) -> Config:
    size = draw(st.integers(8, 512))
    resolutions = sorted(draw(st.sets(st.integers(8, size), min_size=1, max_size=4)))
    names = ["largest", *(name for name in PHASES[1:] if draw(st.booleans()))]
    return Config(
        data=DataConfig(
            path=draw(st.text(min_size=1)),
            size=size,
            fit=draw(st.sampled_from(["crop", "pad", "stretch"])),
            background=draw(st.tuples(*[st.integers(0, 255)] * 3)),
            val_fraction=draw(part),
            test_fraction=draw(part),
            shift=draw(st.integers(0, size - 1)),
            horizontal_flip=draw(st.booleans()),
        ),
        space=SpaceConfig(
            name=draw(st.text(min_size=1)),
            resolutions=tuple(resolutions),
            options=draw(st.dictionaries(st.just("width"), positive)),
        ),
        train=TrainConfig(
            learning_rate=draw(positive),
            weight_decay=draw(positive),
            phases=tuple(
                Phase(name, draw(st.integers(0, 999)), draw(st.none() | positive)) for name in names
            ),
        ),
        search=SearchConfig(latency_ms=draw(st.none() | positive)),
        latency=LatencyConfig(threads=draw(st.integers(1, 64))),
    )


@settings(max_examples=40, deadline=None)
@given(configs())
def test_yaml_gives_back_the_same(config: Config) -> None:
    assert Config.from_yaml(config.to_yaml()) == config


def test_other_programs_read_the_same_yaml() -> None:
    config = Config(data=DataConfig("images"))
    plain = yaml.safe_load(config.to_yaml())
    assert plain["data"]["path"] == "images"
    assert plain["train"]["label_smoothing"] == config.train.label_smoothing
    assert plain["train"]["phases"] is None
    phases = (Phase("largest", 3), Phase("width", 2, 0.1))
    config = replace(config, train=TrainConfig(phases=phases))
    assert yaml.safe_load(config.to_yaml())["train"]["phases"] == [
        {"name": "largest", "epochs": 3},
        {"name": "width", "epochs": 2, "learning_rate": 0.1},
    ]


def test_every_key_has_a_comment_above_it() -> None:
    lines = Config(data=DataConfig("images")).to_yaml(notes={"data.size": "Because."}).splitlines()
    for number, line in enumerate(lines):
        key = line.strip().split(":")[0]
        if line.strip() and not line.strip().startswith(("#", "-")):
            assert lines[number - 1].strip().startswith("#"), key
    assert lines[lines.index("  size: 32") - 1] == "  # Because."
    assert max(map(len, lines)) <= 100


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    config = Config(data=DataConfig("images", size=64))
    config.save(path)
    assert Config.load(path) == config
    with pytest.raises(NasLoopError, match="cannot be written"):
        config.save(path / "below")


def test_what_is_left_out_has_its_default() -> None:
    assert Config.from_yaml("data: {path: digits}") == Config(data=DataConfig("digits"))


def test_numbers_as_people_write_them() -> None:
    text = "data: {path: x}\ntrain: {learning_rate: 1, weight_decay: 1e-4}\nsearch: {latency_ms: 5}"
    config = Config.from_yaml(text)
    assert (config.train.learning_rate, config.train.weight_decay) == (1.0, 1e-4)
    assert config.search.latency_ms == 5.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "data is missing"),
        ("[1, 2]", "must be a mapping with the keys version, data"),
        ("data: images", "data must be a mapping"),
        ("data: {}", "data.path is missing: A folder of class folders"),
        ("data: {path: x, sise: 3}", "unknown key data.sise; did you mean size?"),
        ("data: {path: x}\nqqq: 3", "unknown key qqq; known keys are version, data"),
        ("data: {path: x, 3: 4}", "unknown key data.3"),
        ("data: {path: ''}", "data.path must be not empty"),
        ("data: {path: 3}", "data.path must be a text, got 3"),
        ("data: {path: x, size: 3}", "data.size must be at least 8, got 3"),
        ("data: {path: x, size: 32.5}", "data.size must be an integer, got 32.5"),
        ("data: {path: x, size: true}", "data.size must be an integer, got True"),
        ("data: {path: x, size: '32'}", "data.size must be an integer, got '32'"),
        ("data: {path: x, horizontal_flip: 1}", "data.horizontal_flip must be true or false"),
        ("data: {path: x, fit: squeeze}", "data.fit must be one of crop, pad, stretch"),
        ("data: {path: x, background: [1, 2]}", "data.background must be a list of 3"),
        ("data: {path: x, background: [1, 2, 256]}", "values in 0..255, got [1, 2, 256]"),
        ("data: {path: x, background: 0}", "data.background must be a list of 3"),
        ("data: {path: x, val_fraction: 1}", "data.val_fraction must be above 0 and below 1"),
        ("data: {path: x, val_fraction: .nan}", "must be a finite number, got nan"),
        ("data: {path: x, shift: 32}", "data.shift must be below data.size (32), got 32"),
        ("data: {path: x}\ndata: {path: y}", "key data is given twice, again in line 2"),
        ("data: {path: [", "not YAML in line 1"),
        ("data: {path: x}\nversion: 2", "version must be 1"),
        ("data: {path: x}\nspace: {resolutions: []}", "space.resolutions must be not empty"),
        ("data: {path: x}\nspace: {resolutions: [32, 24]}", "must ascend from 8 or more"),
        ("data: {path: x}\nspace: {resolutions: [a]}", "a list, each an integer, got ('a',)"),
        ("data: {path: x}\nspace: {resolutions: [64]}", "may not exceed data.size (32), got 64"),
        ("data: {path: x}\nspace: {options: {num_classes: 3}}", "space.options.num_classes"),
        ("data: {path: x}\nspace: {options: 3}", "space.options must be a mapping, got 3"),
        ("data: {path: x}\nspace: {options: {1: 3}}", "space.options must be a mapping"),
        ("data: {path: x}\ntrain: {label_smoothing: 1}", "must be at least 0 and below 1"),
        ("data: {path: x}\ntrain: {phases: []}", "train.phases must begin with largest"),
        ("data: {path: x}\ntrain: {phases: [3]}", "train.phases[0] must be a mapping"),
        (
            "data: {path: x}\ntrain: {phases: [{name: largest, epochs: 1}, {nam: width}]}",
            "unknown key train.phases[1].nam; did you mean name?",
        ),
        (
            "data: {path: x}\ntrain: {phases: [{name: largest, epochs: 1}, "
            "{name: width, epochs: 1}, {name: kernel, epochs: 1}]}",
            "in the order largest, kernel, depth, expand, width, all, got largest, width, kernel",
        ),
        (
            "data: {path: x}\ntrain: {phases: [{name: all, epochs: 1}]}",
            "train.phases must begin with largest and go on in",
        ),
        (
            "data: {path: x}\ntrain: {strategy: sandwich, phases: [{name: width, epochs: 1}]}",
            "train.phases must begin with largest or all, and go on in",
        ),
        (
            "data: {path: x}\ntrain: {strategy: sandwhich}",
            "train.strategy must be one of progressive-shrinking, sandwich, attentive-best, ",
        ),
        ("data: {path: x}\ntrain: {ema: 1.0}", "train.ema must be at least 0 and below 1"),
        ("data: {path: x, magnitude: 1.5}", "data.magnitude must be from 0 to 1, got 1.5"),
        ("data: {path: x}\nsearch: {latency_ms: 0}", "search.latency_ms must be above 0, got 0"),
        ("data: {path: x}\nsearch: {latency_ms: fast}", "must be a finite number or null"),
        ("data: {path: x}\nlatency: {threads: 0}", "latency.threads must be at least 1"),
    ],
)
def test_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path)
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        Config.load(tmp_path / "x")


def test_an_object_made_in_python_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"train\.batch_size must be at least 1, got 0"):
        TrainConfig(batch_size=0)


def test_where_the_data_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("IMAGES", "/data")
    monkeypatch.delenv("NOT_SET", raising=False)
    assert DataConfig("$IMAGES/cats").location == "/data/cats"
    assert DataConfig("~/cats").location == "/home/me/cats"
    with pytest.raises(ConfigError, match="a variable that is not set"):
        _ = DataConfig("${NOT_SET}/cats").location


def test_every_field_is_documented() -> None:
    for section in (DataConfig, SpaceConfig, Phase, TrainConfig, SearchConfig, LatencyConfig):
        for entry in fields(section):
            assert entry.metadata["help"], f"{section.__name__}.{entry.name}"


def test_a_table_is_measured_as_thoroughly_with_a_configuration_as_without() -> None:
    told = {name: p.default for name, p in signature(latency_lut.measure).parameters.items()}
    latency = LatencyConfig()
    assert told["effort"] == latency_lut.Effort(latency.rounds, latency.runs)
    assert told["whole_networks"] == latency.references == 25
    assert (latency.rounds, latency.runs) == (16, 6)
