"""A run with its trained supernet, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nas.config import Config
from nas.header import Header, peek, space_of
from nas.run import Run
from search_spaces import Space
from search_spaces.errors import ArtefactError, SpaceError
from search_spaces.files import sha256_of
from search_spaces.space import Population

if TYPE_CHECKING:
    from nas.dataset import Dataset
    from nas.training.evaluate import Evaluator
    from nas.weights import Trained

__all__ = ["TrainedRun"]


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run's space, weights and images, each read when it is first asked for.

    PyTorch is imported with the first that needs it: a search on known accuracies needs none.
    """

    run: Run

    @cached_property
    def config(self) -> Config:
        """The configuration."""
        return self.run.config()

    @cached_property
    def has_images(self) -> bool:
        """Whether there are images to recalibrate and to measure accuracies on.

        Raises:
            ArtefactError: the weights know images, and the configuration names none.
        """
        if self.config.data is None and self.header.data:
            raise ArtefactError(
                f"{self.run.config_file}: data is null, but the weights in {self.run.folder} "
                "belong to images; restore that section"
            )
        return self.config.data is not None

    @cached_property
    def header(self) -> Header:
        """What the file of weights says of itself."""
        return peek(self.run.supernet)

    @cached_property
    def space(self) -> Space:
        """The space, for the classes that the weights were trained on.

        Raises:
            ArtefactError: the configuration makes another space than the weights are of.
        """
        space = space_of(self.config, len(self.header.classes))
        if space.identity != self.header.identity:
            raise ArtefactError(
                f"{self.run.supernet}: weights of space {self.header.space!r} "
                f"({self.header.identity[:12]}), but {self.run.config_file} makes "
                f"{space.name!r} ({space.identity[:12]}); restore the configuration"
            )
        return space

    @cached_property
    def settled(self) -> Population:
        """The networks that the training settled on, canonical rows [n, choices]; n may be 0.

        Raises:
            ArtefactError: the file of weights is damaged: these are not of its space.
        """
        listed, space = self.header.settled, self.space
        if not listed:
            return np.empty((0, len(space.choices)), dtype=np.int64)
        try:
            return space.canonical(np.array(listed))
        except (SpaceError, ValueError) as error:
            raise ArtefactError(
                f"{self.run.supernet}: its header is damaged ({error}); restore a copy, or train "
                "again"
            ) from error

    @cached_property
    def trained(self) -> Trained:
        """Supernet, normalisation, classes."""
        from nas.weights import load_supernet

        return load_supernet(self.run.supernet, self.space)

    @cached_property
    def dataset(self) -> Dataset:
        """The images.

        Raises:
            ArtefactError: they are not those of the training, or of the import.
            ConfigError: the run has none.
        """
        from nas.dataset import open_dataset

        path = self.config.images.path
        if not self.header.data:
            raise ArtefactError(
                f"{self.run.supernet}: made without images; import or convert the weights again "
                f"with --data {path}"
            )
        dataset = open_dataset(self.config)
        if dataset.fingerprint != self.header.data:
            imported = bool(self.header.origin)
            raise ArtefactError(
                f"{path}: other images than the weights in {self.run.folder} were "
                f"{'imported with' if imported else 'trained on'} ({dataset.fingerprint[:12]}, not "
                f"{self.header.data[:12]}); restore the data, or "
                f"{'import them' if imported else 'train'} again"
            )
        return dataset

    @cached_property
    def evaluator(self) -> Evaluator:
        """Inherited accuracy."""
        from nas.training.evaluate import Evaluator

        calibration = self.dataset.images.calibration if self.has_images else None
        return Evaluator(self.trained.supernet, self.trained.normalisation, calibration)

    def belongs(self) -> dict[str, str]:
        """What results of this run depend on."""
        return {"weights": sha256_of(self.run.supernet), "data": self.header.data}

    def val_accuracy(self, row: Population) -> float:
        """Held-out accuracy in percent of the subnet of one row [choices]."""
        images = self.dataset.images
        return self.evaluator.accuracy(self.space.decode(row), images.val, images.val_labels)
