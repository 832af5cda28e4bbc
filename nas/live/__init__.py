"""A search as it goes on, in a terminal."""

from nas.live.watch import Watch, watching

__all__ = ["Watch", "watching"]
