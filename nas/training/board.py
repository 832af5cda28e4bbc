"""The log of a training for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from search_spaces.errors import ConfigError

__all__ = ["board"]

Record = Callable[[Sequence[Mapping[str, object]]], None]


def board(folder: Path) -> Record:
    """What writes the last of the rows that it is given, whenever it is called.

    Rows are those of ``log.csv``; a training that goes on replaces what it repeats.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            "train.tensorboard needs TensorBoard, which is not installed: pip install tensorboard, "
            "or set it to false"
        ) from error
    writers: list[SummaryWriter] = []

    def record(rows: Sequence[Mapping[str, object]]) -> None:
        row = rows[-1]
        step = int(str(row["epoch"]))
        if not writers:
            writers.append(SummaryWriter(str(folder), purge_step=step))
        for name, value in row.items():
            if name != "epoch" and isinstance(value, int | float):
                writers[0].add_scalar(f"train/{name}", value, step)
        writers[0].flush()

    return record
