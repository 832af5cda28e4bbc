"""The ways of ``nas measure``, and which options each of them takes."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.errors import ConfigError

__all__ = ["require_one_way"]

TAKES: dict[str, frozenset[str]] = {
    "--verify": frozenset({"--device", "--threads"}),
    "--bundle": frozenset({"--space", "--threads", "--resolution"}),
    "--import": frozenset(
        {"--space", "--threads", "--resolution", "--name", "-o", "--allow-noisy"}
    ),
}
"""Without one of these a table is measured at once, and takes all of them."""


def require_one_way(ways: Sequence[str], options: Sequence[str]) -> None:
    """Raise ``ConfigError`` for two ways at once, or an option that a way would ignore."""
    if len(ways) > 1:
        raise ConfigError(
            f"{' and '.join(ways)} are different ways of measuring; choose one of them"
        )
    for way in ways:
        ignored = [name for name in options if way in TAKES and name not in TAKES[way]]
        if ignored:
            raise ConfigError(
                f"{way} takes {', '.join(sorted(TAKES[way]))}; leave out {', '.join(ignored)}"
            )
