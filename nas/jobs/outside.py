"""A run of weights that were not trained here."""

from __future__ import annotations

from nas.config import Config, DataConfig
from nas.data import open_source
from nas.data.augment import Normalisation
from nas.dataset import open_dataset
from nas.disk import require_room
from nas.init import lasting_path, proposed_cache
from nas.run import Run
from nas.weights import save_supernet
from search_spaces.errors import ConfigError
from search_spaces.supernet import Supernet

__all__ = ["IMAGENET", "data_section", "save_run"]

IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
"""What networks for ImageNet normalise images by, in units of 0-255 (0.485, 0.456, 0.406 of 1)."""


def data_section(images: str, size: int) -> DataConfig:
    """What a configuration says of images that somebody names, in ``size`` pixels.

    Raises:
        DataError: nothing there that is understood.
    """
    count = sum(map(len, open_source(images).parts.values()))
    return DataConfig(path=lasting_path(images), size=size, cache=proposed_cache(count, size))


def save_run(
    run: Run,
    config: Config,
    supernet: Supernet,
    classes: int,
    normalisation: Normalisation,
    origin: str,
) -> Run:
    """The folder ``run`` with ``config`` and the weights, if its images have as many classes.

    Raises:
        ConfigError: other classes, or a folder that is something else.
        NasLoopError: there is no room.
    """
    names, fingerprint = tuple(map(str, range(classes))), ""
    if config.data is not None:
        dataset = open_dataset(config, check_test=True)
        names, fingerprint = dataset.classes, dataset.fingerprint
        if len(names) != classes:
            raise ConfigError(
                f"{config.data.path} has {len(names)} classes, the weights have {classes}; name "
                "images of the classes that the weights know, in the order of their names"
            )
    tensors = supernet.state_dict().values()
    require_room(run.folder, 2 * sum(tensor.nbytes for tensor in tensors), "--out")
    created = Run.create(run.folder, config, resume=True)
    save_supernet(created.supernet, supernet, normalisation, names, fingerprint, origin)
    return created
