"""Whether PyTorch can compile here: asked before hours of training, not after them."""

from __future__ import annotations

import torch

from search_spaces.errors import ConfigError

__all__ = ["require_compiler"]


def require_compiler(device: str) -> None:
    """Compile something small for ``device``.

    Raises:
        ConfigError: that fails.
    """
    try:
        torch.compile(torch.neg)(torch.ones(2, device=device))
    # Depending on what is missing, PyTorch answers with one of several kinds of errors.
    except Exception as error:
        lines = str(error).strip().splitlines()
        raise ConfigError(
            f"train.compile is true, and PyTorch cannot compile here "
            f"({lines[0] if lines else type(error).__name__}); install a C++ compiler and Python's "
            "headers (Debian: g++ and python3-dev), or set train.compile to false"
        ) from None
