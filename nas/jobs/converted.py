"""``nas convert``: a network of the user's own becomes a run, to be searched and trained on."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from torch import nn

from nas.config import Config, Phase, SpaceConfig, TrainConfig
from nas.data.augment import Normalisation
from nas.jobs.outside import IMAGENET, data_section, save_run
from nas.run import Run
from nas.tensors import read_tensors
from search_spaces.convert import from_module
from search_spaces.errors import ArtefactError, ConfigError
from search_spaces.files import sha256_of

__all__ = ["convert_command", "network_of", "normalisation_of"]

T = TypeVar("T")
PHASES = (Phase("all", 10),)
GENTLE = 0.1
"""The peak of the learning rate of what is trained already, relative to the usual one."""


def network_of(where: str) -> nn.Module:
    """The network that ``MODULE:CALLABLE`` or ``FILE.py:CALLABLE`` makes, called without arguments.

    Raises:
        ConfigError: no such module, file or callable; it fails, or makes something else.
    """
    source, colon, name = where.rpartition(":")
    if not colon or not source or not name.isidentifier():
        raise ConfigError(
            f"a network is named by what makes it, MODULE:CALLABLE or FILE.py:CALLABLE, such as "
            f"torchvision.models:resnet18; got {where!r}"
        )
    make = getattr(_module(source), name, None)
    if not callable(make):
        raise ConfigError(f"{source} has nothing named {name} that can be called")
    network = _called(make, where)
    if not isinstance(network, nn.Module):
        raise ConfigError(
            f"{where} makes a {type(network).__name__}; a torch.nn.Module is expected"
        )
    return network


def _module(source: str) -> ModuleType:
    file = Path(source)
    if file.suffix == ".py" and not file.is_file():
        raise ConfigError(f"{source}: there is no such file")
    # Beside a file, and where the command was typed, lie the user's own modules.
    folder = str(file.parent) if file.suffix == ".py" else ""
    load = _file if file.suffix == ".py" else importlib.import_module
    sys.path.insert(0, folder)
    try:
        return _called(lambda: load(source), source)
    finally:
        sys.path.remove(folder)


def _file(source: str) -> ModuleType:
    # Under a name of its own, which no installed module has.
    name = f"converted_{Path(source).stem}"
    spec = importlib.util.spec_from_file_location(name, source)
    assert spec is not None and spec.loader is not None  # The name ends with .py.
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _called(make: Callable[[], T], where: str) -> T:
    try:
        return make()
    except Exception as error:  # The user's code may fail in any way; theirs is the mending.
        said = str(error).splitlines()[0] if str(error) else ""
        raise ConfigError(f"{where} failed: {type(error).__name__}: {said}") from error


def normalisation_of(mean: str | None, std: str | None) -> Normalisation:
    """What the network's images are normalised by; ImageNet's where nothing is said.

    Raises:
        ConfigError: one without the other, or not three numbers.
    """
    if mean is None and std is None:
        return IMAGENET
    if mean is None or std is None:
        raise ConfigError("--mean and --std come together")
    normalisation = Normalisation(_three("--mean", mean), _three("--std", std))
    if max(*normalisation.mean, *normalisation.std) > 255 or min(normalisation.std) <= 0:
        raise ConfigError(
            f"--mean and --std are in units of 0 to 1, as torchvision has them, and --std is above "
            f"0; got {mean} and {std}"
        )
    return normalisation


def _three(option: str, text: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (255 * float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            f"{option} is three numbers in units of 0 to 1, such as 0.485,0.456,0.406; got {text!r}"
        ) from error
    return red, green, blue


def convert_command(
    network: str,
    out: Path,
    weights: Path | None,
    resolutions: Sequence[int],
    images: str | None,
    normalisation: Normalisation,
    elastic: dict[str, Any],
) -> tuple[dict[str, Any], str]:
    """Convert, check that all fits, and only then make the run folder.

    Raises:
        ConfigError: nothing that makes a network, or a folder that holds a run already.
        ArtefactError: weights that are not the network's.
        SpaceError: a network that cannot be converted: the layer and the reason.
    """
    if Run(out).supernet.exists():
        raise ConfigError(f"{out} holds trained weights already; choose another --out")
    module = network_of(network)
    origin = f"{network}, converted"
    if weights is not None:
        _load(module, weights)
        origin = f"{origin}, {weights.name}, SHA-256 {sha256_of(weights)}"
    sides = tuple(sorted(set(resolutions))) or (224,)
    space, supernet = from_module(module, sides, **elastic)
    data = None if images is None else data_section(images, sides[-1])
    options = dict(space.options or {})
    run = Run(out)
    usual = TrainConfig("sandwich", phases=PHASES, weights=str(run.supernet.absolute()))
    train = replace(usual, learning_rate=GENTLE * usual.highest_rate)
    config = Config(data=data, space=SpaceConfig(space.name, sides, options), train=train)
    Run.check(out, config, resume=True)
    run = save_run(run, config, supernet, space.classes, normalisation, origin)
    smallest, largest = space.macs([space.smallest, space.largest]) / 1e6
    result = {
        "run": str(out),
        "supernet": str(run.supernet),
        "space": space.name,
        "identity": space.identity,
        "size": space.size,
        "choices": {choice.name: list(choice.values) for choice in space.choices},
        "mmacs": [round(float(smallest), 3), round(float(largest), 3)],
        "classes": space.classes,
        "images": images,
    }
    onward = f"nas train {run.config_file} --out TRAINED" if images else f"nas measure {out}"
    text = (
        f"{network}: {space.size:.2g} networks of {len(space.choices)} choices, {smallest:.1f} to "
        f"{largest:.1f} MMACs, the largest as it was; wrote {run.supernet}\nnext: {onward}"
    )
    return result, text


def _load(module: nn.Module, weights: Path) -> None:
    try:
        module.load_state_dict(read_tensors(weights))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ArtefactError(
            f"{weights}: not the weights of this network ({reason[:300]})"
        ) from error
