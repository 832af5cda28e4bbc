"""The commands: a table from names to typed functions; what is heavy is imported late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from nas.commands.looking import init, searchers, show, spaces
from nas.commands.measuring import measure, profile
from nas.commands.outside import convert, import_ofa
from nas.commands.predicting import predict
from nas.commands.results import demo, export, report
from nas.commands.searching import search
from nas.commands.training import finetune, train

__all__ = ["COMMANDS", "UsageError", "app"]

UsageError: type[Any] = typer.BadParameter.__mro__[1]
"""What a wrong command line raises; Typer has no public name for it."""

app = typer.Typer(
    name="nas",
    help="Give it images, a device and a latency budget; get back a measured ONNX file.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS: dict[str, Callable[..., None]] = {
    "init": init,
    "spaces": spaces,
    "searchers": searchers,
    "train": train,
    "measure": measure,
    "search": search,
    "predict": predict,
    "finetune": finetune,
    "export": export,
    "profile": profile,
    "show": show,
    "import-ofa": import_ofa,
    "convert": convert,
    "report": report,
    "demo": demo,
}
"""In the order in which the help lists them."""

for name, command in COMMANDS.items():
    app.command(name)(command)
