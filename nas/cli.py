"""The entry point: commands, and how each of them ends.

Nothing but the standard library is imported before signals are answered, so that an interruption
during the imports is told as any other.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


class Interrupted(BaseException):
    """Ctrl-C or a polite kill; not an ``Exception``, so that nothing swallows it."""


def main() -> None:
    """Entry point: 0 on success, 2 on bad input with one line, 130 when interrupted."""
    try:
        signal.signal(signal.SIGINT, _interrupt)
        signal.signal(signal.SIGTERM, _interrupt)
        _run()
    except (Interrupted, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Impatience does not garble the answer.
        _fail(
            "interrupted; what was finished is kept, the same command goes on from there "
            "(train, finetune and search with --resume)",
            130,
        )
    except OSError as error:  # A disk, a folder or a permission, never a matter of the code.
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror or error}; what was written before is kept", 2)


def _run() -> None:
    # How long threads spin while they wait for each other (experiments/speed/waiting.py). Read
    # when OpenMP is loaded, hence set first.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    from nas.commands import COMMANDS, UsageError, app
    from search_spaces.errors import NasLoopError

    try:
        code = app(standalone_mode=False)
    except NasLoopError as error:
        _fail(str(error), 2)
    except UsageError as error:
        if len(sys.argv) == 1:  # Not a mistake: the help, which takes many lines.
            error.show()
            sys.exit(error.exit_code)
        there = f"nas {sys.argv[1]} --help" if sys.argv[1] in COMMANDS else "nas --help"
        _fail(f"{error.format_message().removesuffix('.')} (see {there})", 2)
    sys.exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted


def _fail(text: str, code: int) -> None:
    # One line; blanks within are left alone, since paths may have them.
    line = " ".join(part.strip() for part in text.splitlines())
    sys.stderr.write(f"nas: {line}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
