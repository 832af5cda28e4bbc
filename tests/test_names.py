"""The names that others script against, every one of them used: a change here breaks somebody."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from torch import nn

import latency_lut
import nas.search
import predictors
import search_spaces
from latency_lut.entries import block_key
from latency_lut.fit import LEADING, Posterior, Scales
from latency_lut.interpreter import Installed
from latency_lut.references import NAMES
from latency_lut.table import Campaign, Fit
from nas.commands import app
from nas.run import Run
from search_spaces import Architecture, Choice, LayerSpec, Plan, Space
from search_spaces.errors import ArtefactError

README = Path(__file__).resolve().parents[1] / "README.md"
MACS_PER_MS, START_MS = 1e8, 0.02

# Names of OFA's published code, by ours: what stands outside its blocks, and parts of a block.
OFAS_LAYERS = {
    "stem.main": "first_conv",
    "last.main": "final_expand_layer",
    "classifier.hidden": "feature_mix_layer.conv",
    "classifier.linear": "classifier.linear",
}
OFAS_PARTS = {
    "expand": "inverted_bottleneck",
    "depthwise": "depth_conv",
    "squeeze": "depth_conv.se.fc",
    "project": "point_linear",
}

COMMANDS = """
nas demo
nas demo --out RUN
nas init IMAGES
nas init IMAGES -o CONFIG
nas spaces
nas train CONFIG
nas train CONFIG --out RUN --resume
nas measure RUN
nas measure RUN --device cpu --threads 1 --resolution 24 --resolution 32 --name pi4 -o TABLE
nas measure --space small-images
nas measure RUN --verify TABLE
nas measure RUN --bundle BUNDLE
nas measure RUN --import RESULTS
nas search RUN --latency-ms 5
nas search RUN --latency-ms 5 --device cpu --searcher nsga2 --budget 100 --seed 1
nas finetune RUN --architecture FILE
nas predict RUN --evaluate
nas export RUN -o best.onnx
nas export RUN --architecture FILE -o best.onnx
nas profile best.onnx
nas profile best.onnx --device cpu --threads 1
nas show ARCHITECTURE
nas show ARCHITECTURE ARCHITECTURE
nas report RUN
nas import-ofa WEIGHTS --space NAME --out RUN
"""


@pytest.fixture(scope="module")
def space() -> Space:
    return search_spaces.get("small-images", width=1.0, resolutions=(24, 28, 32), num_classes=10)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def made_up_table(space: Space) -> latency_lut.LatencyTable:
    """A table in which a layer takes its MACs and a network a start: no device is asked."""
    fits = {}
    for image in space.images:
        specs = space.reachable(image)
        ms = np.array([START_MS, 0.0, *(spec.macs / MACS_PER_MS for spec in specs)])
        none = np.zeros((LEADING + len(specs), 1))
        posterior = Posterior(ms, 0.01 * ms, none, none.T, Scales(), 0.0)
        blocks = tuple(map(block_key, specs))
        fits[image.shape[-1]] = Fit(blocks, posterior, 1e9, (0.0,) * len(specs))
    campaign = Campaign("", 1, 1, 0.0, 1.0, 0.0, False, dict.fromkeys(NAMES, 1.0))
    here = latency_lut.device("cpu").fingerprint()
    return latency_lut.LatencyTable(space, here, campaign, {}, (), fits, {}, ())


@dataclass(frozen=True)
class Job:
    """What a script has before it starts: a saved table, and subnets with their errors."""

    folder: Path
    rows: np.ndarray
    errors: np.ndarray


@pytest.fixture(scope="module")
def job(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("script")
    made_up_table(space).save(folder / "run" / "latency" / "cpu.json")
    rows = space.sample(30, np.random.default_rng(1))
    return Job(folder, rows, 40.0 - 3 * np.log(space.macs(rows) / 1e6))


def test_spaces_and_populations(space: Space, rng: np.random.Generator) -> None:
    assert all(isinstance(choice, Choice) for choice in space.choices)
    assert {choice.name: choice.values for choice in space.choices}["resolution"] == (24, 28, 32)
    X = space.sample(50, rng)
    assert X.shape == (50, len(space.choices)) and np.issubdtype(X.dtype, np.integer)
    assert np.array_equal(space.canonical(X), X)
    assert all(isinstance(spec, LayerSpec) for spec in space.specs)
    index = space.index(X)
    assert len(index) == 50 and 0 <= index.min() <= index.max() < len(space.specs)
    for costs in (space.macs(X), space.parameters(X)):
        assert costs.shape == (50,) and costs.dtype == np.float64 and (costs > 0).all()


def test_architectures(space: Space, rng: np.random.Generator) -> None:
    row = space.sample(1, rng)[0]
    architecture = space.decode(row)
    assert isinstance(architecture, Architecture)
    assert np.array_equal(space.encode(architecture), row)
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert isinstance(space.digest(architecture), str)
    plan = space.lower(architecture)
    assert isinstance(plan, Plan)
    assert sum(node.spec.macs for node in plan.nodes) == space.macs(row)[0]


def test_networks(space: Space) -> None:
    architecture = space.decode(space.smallest)
    module = space.build(architecture)
    assert isinstance(module, nn.Module)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    assert parameters == space.parameters(space.smallest)[0]
    supernet = space.supernet().eval()
    x = torch.randn(2, 3, 24, 24)
    with torch.no_grad():
        assert torch.equal(supernet(x, architecture), supernet.extract(architecture)(x))


def test_ofas_notation() -> None:
    space = search_spaces.get(
        "ofa-mobilenetv3", width=1.0, resolutions=(128, 160, 192, 224), num_classes=1000
    )
    config = {"ks": [3, 5, 7, 5] * 5, "e": [6, 3, 4, 4, 3] * 4, "d": [2, 3, 4, 2, 3], "r": [160]}
    architecture = search_spaces.ofa.from_config(space, config)
    assert isinstance(architecture, Architecture)
    assert search_spaces.ofa.to_config(space, architecture) == config
    plan = space.lower(architecture)
    assert plan.image.shape == (3, 160, 160)
    standing = [s * 4 + i for s, depth in enumerate(config["d"]) for i in range(depth)]
    blocks: list[Any] = [node.spec for node in plan.nodes if re.match(r"s\d", node.slot)]
    for place, spec in zip(standing, blocks, strict=True):
        assert spec.kernel == config["ks"][place]
        assert spec.middle == config["e"][place] * spec.inputs[0].shape[0]


def ofas_name(name: str) -> str:
    """What OFA's published code calls the tensor ``name`` of our MobileNetV3 supernet."""
    _, module, part, rest = name.split(".", 3)
    layer = OFAS_LAYERS.get(f"{module}.{part}")
    if layer is None:
        modules = ["first", *(f"s{stage}_{i}" for stage in range(1, 6) for i in range(4))]
        layer = f"blocks.{modules.index(module)}.conv.{OFAS_PARTS[part]}"
    rest = re.sub(r"^transform_(.*)$", r"conv.\1_matrix", rest)
    return f"{layer}.{re.sub('^norm', 'bn', rest)}"


def test_weights_saved_by_ofas_code() -> None:
    space = search_spaces.get("ofa-mobilenetv3", width=0.35, resolutions=(32,), num_classes=3)
    supernet = space.supernet()
    saved = {
        name: torch.rand(tensor.shape)  # Variances are not below 0.
        for name, tensor in supernet.state_dict().items()
        if tensor.is_floating_point()
    }
    state_dict = {ofas_name(name): tensor for name, tensor in saved.items()}
    assert len(state_dict) == len(saved)
    search_spaces.ofa.load_state_dict(supernet, state_dict)
    loaded = supernet.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in saved.items())
    with pytest.raises(ArtefactError, match="the weights lack"):
        search_spaces.ofa.load_state_dict(supernet, {})


def test_tables_and_devices(space: Space, rng: np.random.Generator, job: Job) -> None:
    path = job.folder / "run" / "latency" / "cpu.json"
    table = latency_lut.LatencyTable.load(path, space)
    X = space.sample(20, rng)
    ms, std = table.predict(X, return_std=True)
    assert np.array_equal(table.predict(X), ms) and std.shape == (20,)
    assert ms == pytest.approx(START_MS + space.macs(X) / MACS_PER_MS)
    table.save(job.folder / "again.json")
    again = latency_lut.LatencyTable.load(job.folder / "again.json", space)
    assert np.array_equal(again.predict(X), ms)


@pytest.mark.parametrize("name", ["cpu", "cuda:0", "ssh://host", "adb://serial", "browser"])
def test_names_of_devices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # As where ONNX Runtime has CUDA; the others are not reached before they are asked something.
    providers = ("CUDAExecutionProvider", "CPUExecutionProvider")
    here = Installed({"runtime": "onnxruntime"}, providers)
    monkeypatch.setattr("latency_lut.catalogue.installed", lambda command: here)
    device = latency_lut.device(name, threads=1)
    promised = {member for member in vars(latency_lut.Device) if not member.startswith("_")}
    assert promised and promised <= set(dir(device)) and device.name == name


@pytest.mark.parametrize("name", ["auto", "ridge", "gp", "mlp"])
def test_predictors(space: Space, rng: np.random.Generator, job: Job, name: str) -> None:
    X = space.sample(10, rng)
    predictor = predictors.get(name, space).fit(job.rows, job.errors)
    mean, std = predictor.predict(X, return_std=True)
    assert mean.shape == std.shape == (10,)
    assert np.array_equal(predictor.predict(X), mean)


def test_proxies(space: Space, rng: np.random.Generator) -> None:
    images, labels = torch.randn(4, 3, 24, 24), torch.tensor([0, 1, 0, 1])
    model = space.build(space.decode(space.smallest))
    scores = predictors.proxies.score(model, (images, labels), names=("synflow", "naswot"))
    assert list(scores) == ["synflow", "naswot"]
    assert all(isinstance(value, float) for value in scores.values())
    names = {"space": space, "X": space.sample(2, rng), "images": images, "labels": labels}
    exec(compile(readme_code("Before anything is trained"), str(README), "exec"), names)
    assert np.isin(names["best"], names["X"]).all()


@pytest.mark.parametrize("searcher", ["nsga2", "random"])
def test_searches(space: Space, searcher: str) -> None:
    study = nas.search.minimize(
        space,
        {"error": lambda X: -space.parameters(X), "latency_ms": lambda X: space.macs(X) / 1e7},
        {"latency_ms": 1.0},
        searcher=searcher,
        budget=100,
        seed=0,
    )
    assert isinstance(study, nas.search.Study) and len(study) == 100
    front = study.front()
    assert front and all(one.objectives["latency_ms"] <= 1 for one in front)
    assert list(front[0].objectives) == ["error", "latency_ms"]
    assert all(isinstance(one.architecture, Architecture) for one in front)


def readme_code(heading: str) -> str:
    """The one block of Python in a section of the README."""
    section = README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(code)


def test_the_readme_in_python(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    code = readme_code("From Python")
    # Fewer evaluations, to be done soon; everything else as it stands there.
    assert "budget=5000" in code
    code = code.replace("budget=5000", "budget=200")
    monkeypatch.chdir(job.folder)
    whole = search_spaces.get("small-images")
    names: dict[str, Any] = {"measured": lambda X: 60 - 5 * np.log10(whole.macs(X))}
    exec(compile(code, str(README), "exec"), names)
    front = names["study"].front()
    assert front and all(one.objectives["latency_ms"] <= 0.5 for one in front)
    assert np.array_equal(names["space"].encode(names["architecture"]), names["X"][0])
    assert isinstance(names["network"], nn.Module) and isinstance(names["subnet"], nn.Module)
    assert isinstance(names["plan"], Plan)
    # What follows it goes on with the same names.
    names["error"] = names["measured"]
    own = readme_code("Searches of your own")
    assert "evaluations=200" in own
    exec(compile(own.replace("evaluations=200", "evaluations=20"), str(README), "exec"), names)
    assert names["study"].ended_by == "evaluations" and len(names["study"]) == 20
    assert (job.folder / "study.sqlite").is_file()
    best = names["best"]
    assert best.proven and best.limited["latency_ms"] <= 0.5
    sample = names["space"].sample(2000, np.random.default_rng(0))
    kept = sample[names["table"].predict(sample) <= 0.5]
    assert best.value <= names["ridge"].predict(kept).min()


def test_the_readme_with_published_weights(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = search_spaces.get("ofa-mobilenetv3", width=1.0, resolutions=(224,))
    X = space.sample(40, rng)
    top1 = 60 + 3 * np.log(space.macs(X) / 1e6)  # More work, a better network.
    names: dict[str, Any] = {
        "search_spaces": search_spaces,
        "predictors": predictors,
        "configs": [search_spaces.ofa.to_config(space, space.decode(row)) for row in X],
        "top1": top1,
    }
    monkeypatch.chdir(tmp_path)
    code = readme_code("With published once-for-all weights, without training")
    exec(compile(code, str(README), "exec"), names)
    assert np.array_equal(names["rows"], X)
    predictor = predictors.load(tmp_path / "accuracy.npz", space)
    others = space.sample(40, rng)
    assert np.corrcoef(predictor.predict(others), np.log(space.macs(others)))[0, 1] < -0.9


def taken(arguments: Sequence[str]) -> None:
    """Parse a command's arguments without running it."""
    group: Any = typer.main.get_command(app)
    command = group.commands[arguments[0]]
    with redirect_stderr(io.StringIO()):
        command.make_context(arguments[0], list(arguments[1:]))


@pytest.mark.parametrize("line", COMMANDS.strip().splitlines())
def test_commands_take_their_options(line: str) -> None:
    taken([*shlex.split(line)[1:], "--json"])


def test_commands_of_the_readme() -> None:
    text = README.read_text()
    lines = re.findall(r"^(nas .*?)(?: +#.*)?$", text, re.MULTILINE)
    assert len(lines) >= 7
    for line in lines:
        taken(shlex.split(line)[1:])
    told = set(re.findall(r"^\| `nas ([\w-]+)", text, re.MULTILINE))
    group: Any = typer.main.get_command(app)
    assert told == set(group.commands)
    rows = re.findall(r"^\| `nas ([\w-]+) ([^`]*)` \|", text, re.MULTILINE)
    assert {"import-ofa", "search"} <= {command for command, _ in rows}
    for command, options in rows:
        options_of = group.commands[command].params
        known = {name for one in options_of for name in (*one.opts, *one.secondary_opts)}
        assert set(re.findall(r"(?<=[\[( ])--?[a-z][a-z-]*", options)) <= known, command


def test_files_of_a_run() -> None:
    run = Run(Path("run"))
    names = {
        "config_file": "config.yaml",
        "supernet": "supernet.safetensors",
        "log": "log.csv",
        "study": "study.sqlite",
        "front": "front.json",
        "best": "best.json",
        "onnx": "best.onnx",
        "report": "report.html",
    }
    for attribute, name in names.items():
        assert getattr(run, attribute) == Path("run") / name
    assert run.latency("pi4") == Path("run/latency/pi4.json")


def test_files_carry_a_version(space: Space, job: Job) -> None:
    # Those of a run: tests/nas/test_versions.py.
    table = json.loads((job.folder / "run" / "latency" / "cpu.json").read_text())
    assert table["version"] == 7
    assert json.loads(space.decode(space.smallest).to_json())["format"] == 1
