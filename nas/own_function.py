"""A function of the user's, by the file or the module that it is in."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from nas.quantities import NAMES, Quantity
from search_spaces.errors import ConfigError
from search_spaces.files import sha256_of
from search_spaces.space import Space

__all__ = ["is_own", "own_function"]

TRIED = 8
HOW = "FILE.py:FUNCTION or MODULE:FUNCTION, a function of (space, rows [n, choices]) to [n] numbers"


def is_own(name: str) -> bool:
    """Whether a name points at code: ``costs.py:price``, ``mine.costs:price``."""
    return ":" in name


def own_function(name: str, space: Space) -> tuple[Quantity, str]:
    """The quantity, called by the function's name, and what its values depend on.

    The code is run: this is for names that a user types, and never for what a file says.

    Raises:
        ConfigError: no such file, module or function; it fails when it is loaded, or for every
            network that is tried; its name is one that has a meaning already.
    """
    where, _, function = name.rpartition(":")
    try:
        module = _from_file(Path(where)) if where.endswith(".py") else _module(where)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{name}: {where} cannot be loaded: {_said(error)}") from error
    found: Callable[..., Any] | None = getattr(module, function, None)
    if not callable(found):
        raise ConfigError(f"{name}: {where} has no function {function!r}; give {HOW}")
    if function in NAMES:
        raise ConfigError(f"{name}: {function!r} means something else here; rename the function")
    bound = partial(found, space)
    _require_numbers(name, bound, space)
    return Quantity(function, bound), _identity(name, module)


def _require_numbers(name: str, function: Callable[..., Any], space: Space) -> None:
    # Some networks may be beyond it, but not all of these.
    said = ""
    for row in space.sample(TRIED, np.random.default_rng(0)):
        try:
            value = np.asarray(function(row[None]), dtype=np.float64)
        except Exception as error:
            said = _said(error)
            continue
        if value.shape != (1,):
            said = f"for rows [1, {len(row)}] it returned shape {value.shape}"
        elif not np.isfinite(value[0]):
            said = f"for rows [1, {len(row)}] it returned {value[0]}"
        else:
            return
    raise ConfigError(f"{name} has no number for any network that was tried ({said}); give {HOW}")


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; give {HOW}")
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    # Not as an import does, which leaves bytecode beside the file, and takes that for a file that
    # was edited within the same second.
    exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    return module


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        raise ConfigError(f"no module {name!r} that Python finds; give {HOW}") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{name!r} is no module; give {HOW}") from error


def _identity(name: str, module: ModuleType) -> str:
    # A study that went by other code is not gone on with; of what that imports nobody knows.
    try:
        source = inspect.getsourcefile(module)
    except TypeError:
        source = None
    return name if source is None else f"{name} {sha256_of(source)}"


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
