"""A run folder: what a person finds in it, and what it belongs to."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from nas.config import Config
from nas.config_training import RATES
from search_spaces.errors import ArtefactError, ConfigError
from search_spaces.files import write_atomic

__all__ = ["Run", "write_csv"]


@dataclass(frozen=True)
class Run:
    """The files of a run, by name."""

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """An existing run; raises ``ArtefactError`` if the folder is none."""
        run = cls(Path(folder))
        if not run.config_file.is_file():
            raise ArtefactError(
                f"{folder}: not a run folder (it has no config.yaml); `nas train CONFIG --out "
                f"{folder}` makes one, and so do `nas import-ofa` and `nas convert`"
            )
        return run

    @classmethod
    def check(cls, folder: str | Path, config: Config, resume: bool) -> Run:
        """The run that ``create`` would make; writes nothing.

        Raises:
            ConfigError: the folder holds a run already, one of another configuration, or
                something else.
        """
        run = cls(Path(folder))
        if run.folder.exists() and not run.folder.is_dir():
            raise ConfigError(f"{folder} is a file; a run is a folder, choose another --out")
        if run.config_file.exists():
            if not resume:
                raise ConfigError(
                    f"{folder} holds a run already; add --resume to go on with it, or choose "
                    "another --out"
                )
            if differing := _differing(run.config(), config):
                raise ConfigError(
                    f"{folder} holds a run of another configuration ({', '.join(differing)}); "
                    f"resume with what {run.config_file} says, or choose another --out"
                )
        elif run.folder.is_dir() and any(not _litter(entry) for entry in run.folder.iterdir()):
            raise ConfigError(f"{folder} is not empty and not a run; choose another --out")
        return run

    @classmethod
    def create(cls, folder: str | Path, config: Config, resume: bool) -> Run:
        """A run of ``config``: a new folder, or with ``resume`` the one that holds it already.

        Raises:
            ConfigError: see ``check``; or the folder cannot be made.
        """
        run = cls.check(folder, config, resume)
        try:
            run.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be made ({error.strerror})") from error
        config.save(run.config_file)
        return run

    def config(self) -> Config:
        """The configuration of the run."""
        return Config.load(self.config_file)

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def supernet(self) -> Path:
        return self.folder / "supernet.safetensors"

    @property
    def log(self) -> Path:
        return self.folder / "log.csv"

    @property
    def study(self) -> Path:
        return self.folder / "study.sqlite"

    def round_study(self, number: int) -> Path:
        """The study of a round of a search, from 1; the first is ``study``."""
        return self.study if number == 1 else self.folder / f"study.{number}.sqlite"

    def round_samples(self, number: int) -> Path:
        """What the candidates of a round took so far, as long as they are measured."""
        return self.folder / f"candidates.{number}"

    @property
    def measured(self) -> Path:
        """What the rounds of a search have measured, for `--resume`."""
        return self.folder / "measured.json"

    @property
    def samples(self) -> Path:
        return self.folder / "samples.sqlite"

    @property
    def proxies(self) -> Path:
        """What zero-cost proxies say of networks."""
        return self.folder / "proxies.sqlite"

    @property
    def predictor(self) -> Path:
        return self.folder / "predictor.npz"

    def predictors(self, kind: str) -> Path:
        """How good predictors are: ``json``, ``csv`` or ``html``."""
        return self.folder / f"predictors.{kind}"

    def fits(self, identity: str) -> Path:
        """How good each fit of an evaluation of predictors was, by what it belongs to."""
        return self.folder / "predictor_fits" / f"{identity[:16]}.json"

    @property
    def front(self) -> Path:
        return self.folder / "front.json"

    @property
    def curves(self) -> Path:
        """Hypervolume over evaluations of the search and of those it is compared with."""
        return self.folder / "curves.json"

    @property
    def best(self) -> Path:
        return self.folder / "best.json"

    def earlier(self, file: Path) -> Path:
        """Where a file of the last search is while another one has begun anew."""
        return file.with_suffix(f".earlier{file.suffix}")

    def and_earlier(self, file: Path) -> str:
        """The end of a sentence that says ``file`` is missing: where that of the last search is."""
        earlier = self.earlier(file)
        return f"; that of an earlier search is {earlier}" if earlier.is_file() else ""

    @property
    def onnx(self) -> Path:
        return self.folder / "best.onnx"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def tunings(self) -> Path:
        """A folder for each fine-tuning."""
        return self.folder / "finetuned"

    @property
    def tunings_test(self) -> Path:
        """What fine-tuned subnets are worth on test images."""
        return self.folder / "finetuned_test.json"

    @property
    def fleet(self) -> Path:
        """What a search for many devices left: a folder with ``fleet.json`` and a ``best.json``."""
        return self.folder / "fleet"

    @property
    def fleet_document(self) -> Path:
        """In the folder of such a search: its fronts and its compromise."""
        return self.folder / "fleet.json"

    def latency(self, name: str) -> Path:
        """The table of a device."""
        return self.folder / "latency" / f"{name}.json"

    def write_log(self, rows: Sequence[Mapping[str, object]]) -> None:
        """``log.csv``: one row an epoch."""
        write_csv(self.log, rows)


ELSEWHERE = ("data.path", "data.cache", "train.weights", "train.tensorboard")
"""Keys that may change: where files lie, and what is told."""


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """A table with the columns of its first row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue())


def _differing(one: Config, other: Config) -> list[str]:
    """Keys that decide what is trained and that differ; files may lie elsewhere by now."""
    if (one.data is None) != (other.data is None):
        return ["data"]
    sections = ("data", "space", "train") if one.data else ("space", "train")
    return [
        name
        for section in sections
        for entry in fields(getattr(one, section))
        if (name := f"{section}.{entry.name}") not in ELSEWHERE
        and _differ(name, *(getattr(getattr(of, section), entry.name) for of in (one, other)))
    ]


def _differ(name: str, one: object, other: object) -> bool:
    return one != other and not (name in RATES and (one is None or other is None))


def _litter(entry: Path) -> bool:
    # Left by a process that was killed while it wrote a file.
    return entry.name.startswith(".") and ".tmp" in entry.suffixes


def digest(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
