"""The errors of the whole project, under one root.

They live here because `search_spaces` is the one package that everything else may import.
A message states the rule, the value received and the way out; the command line prints it as
one line and exits with 2.
"""

__all__ = [
    "ArtefactError",
    "ConfigError",
    "DataError",
    "InfeasibleError",
    "NasLoopError",
    "SpaceError",
]


class NasLoopError(Exception):
    """Bad input, or a machine that cannot do what was asked: never a bug of the project."""


class ConfigError(NasLoopError):
    """A configuration, an option or a name that is unknown, ill-typed or contradictory."""


class DataError(NasLoopError):
    """Images or labels that cannot be used; the text names the path."""


class ArtefactError(NasLoopError):
    """A file that is truncated, of another version, or belongs to something else."""


class InfeasibleError(NasLoopError):
    """No network of the space can satisfy a constraint; the text says what can be reached."""


class SpaceError(NasLoopError):
    """A space that is written wrongly, or an architecture or row that is not of the space."""
