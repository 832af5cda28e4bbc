"""``nas import-ofa``: weights of the Once-for-All family become a run, without training."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from nas.config import Config, SpaceConfig
from nas.header import space_of
from nas.jobs.outside import IMAGENET, data_section, save_run
from nas.run import Run
from nas.tensors import read_tensors
from nas.terminal import Screen
from search_spaces import ofa
from search_spaces.catalogue import SPACES
from search_spaces.errors import ArtefactError, ConfigError
from search_spaces.files import sha256_of

__all__ = ["import_ofa_command", "options_from"]


def options_from(texts: Sequence[str]) -> dict[str, Any]:
    """Options of a space from ``KEY=VALUE``, the value written as in YAML: ``widths=[0.5, 1.0]``.

    Raises:
        ConfigError: another form, a value that is not YAML, or a key twice.
    """
    options: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier() or key in options:
            raise ConfigError(
                f"--option is KEY=VALUE, each key once, for example widths=[0.8,1.0]; got {text!r}"
            )
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--option {key}: {value!r} is not YAML") from error
    return options


def import_ofa_command(
    weights: Path,
    space_name: str,
    out: Path,
    resolutions: Sequence[int],
    options: Sequence[str],
    images: str | None,
    screen: Screen,
) -> tuple[dict[str, Any], str]:
    """Read, check that everything fits, and only then make the run folder.

    Width and number of classes are read off the weights' shapes; what cannot be seen there (the
    smaller widths of ``ofa-resnet50``) are the space's defaults unless ``options`` say otherwise.

    Raises:
        ArtefactError: the file is none of weights, or they do not fit the space.
        ConfigError: the folder holds a run already, or options contradict each other.
        SpaceError: no space of the family, or options that it refuses.
    """
    given = options_from(options)
    if Run(out).supernet.exists():
        raise ConfigError(f"{out} holds trained weights already; choose another --out")
    tensors = read_tensors(weights)
    with _naming(weights):
        found = ofa.options_of(space_name, tensors, given.get("width"))
    classes = int(found["num_classes"])
    seen = {key: value for key, value in found.items() if key != "num_classes"}
    section = _section(space_name, resolutions, {**seen, **given})
    data = None if images is None else data_section(images, section.resolutions[-1])
    config = Config(data=data, space=section)
    run = Run.check(out, config, resume=True)
    supernet = space_of(config, classes).supernet()
    with _naming(weights):
        ofa.load_state_dict(supernet, tensors)
    origin = f"{weights.name}, SHA-256 {sha256_of(weights)}, as {space_name}"
    run = save_run(run, config, supernet, classes, IMAGENET, origin)
    space = supernet.space
    assumed = _unseen(space_name, given)
    result = {
        "run": str(out),
        "supernet": str(run.supernet),
        "space": space.name,
        "identity": space.identity,
        "resolutions": list(section.resolutions),
        "options": dict(section.options),
        "classes": classes,
        "images": images,
        "assumed": assumed,
    }
    described = "".join(f", {key} {value}" for key, value in section.options.items())
    without = (
        ""
        if images
        else "\nwithout images norms keep their statistics, and searches name a --predictor "
        "FILE.npz or a --proxy"
    )
    usual = ", ".join(f"{key} {list(values)}" for key, values in assumed.items())
    taken = f"\ntaken as published ({usual}; others by --option)" if assumed else ""
    sides = section.resolutions
    text = (
        f"{space.name}{described}, {classes} classes, {len(sides)} "
        f"resolution{'s' if len(sides) > 1 else ''}: wrote {run.supernet}{without}{taken}\n"
        f"next: nas measure {out}"
    )
    return result, text


@contextmanager
def _naming(weights: Path) -> Iterator[None]:
    """Errors about the weights begin with their file, and say where options are given."""
    try:
        yield
    except ArtefactError as error:
        raise ArtefactError(f"{weights}: {error} (see --space and --option)") from error


def _unseen(name: str, given: Mapping[str, Any]) -> dict[str, Sequence[float]]:
    """What the weights' shapes do not show (they show the largest only) and nobody said."""
    parameters = inspect.signature(SPACES[name]).parameters.values()
    usual = {one.name: one.default for one in parameters if isinstance(one.default, tuple)}
    return {k: v for k, v in usual.items() if k != "resolutions" and k not in given}


def _section(name: str, resolutions: Sequence[int], options: Mapping[str, Any]) -> SpaceConfig:
    """The section of the configuration; resolutions are the space's own unless they are named."""
    return SpaceConfig(name, tuple(sorted(set(resolutions))) or ofa.RESOLUTIONS, options)
