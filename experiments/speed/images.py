"""Images from disk to training: threads against a loop, and a cache against decoding anew.

    python experiments/speed/images.py [--images 2000] [--size 224] [--rounds 3] [--out FILE]

Claims: threads decode at least 0.7 times as many images a second for each core as a plain loop
does; a command that finds its images in ``data.cache`` has them at least ten times as soon, and
memory of its own of at most a tenth of the pixels, instead of all of them.

Images are made up: JPEGs of 500x375 pixels with some structure, in class folders. ``start`` is a
fresh process that opens the images as every command does, from its configuration to tensors with
their normalisation and fingerprint; imports are not in its time. ``own`` is its anonymous memory
afterwards (RssAnon) above what it had before: pages of a map are the system's, shared and dropped
where memory is short. Both take turns; figures are medians of rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from resident import resident
from timing import interleaved, machine, save

from nas.config import Config, DataConfig, SpaceConfig
from nas.data import ImageOptions, open_source
from nas.data.decode import square
from nas.data.decoding import decode
from nas.processor import usable_cores

WIDTH, HEIGHT, CLASSES = 500, 375, 10
A_CORE, SOONER, OWN = 0.7, 10, 0.1


def make_images(folder: Path, count: int) -> None:
    """JPEGs in class folders."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (HEIGHT // 25, WIDTH // 25, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        place = folder / f"class{number % CLASSES}"
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number:06}.jpg", quality=90)


def loop(folder: Path, size: int) -> np.ndarray:
    """One image after another."""
    part, options = open_source(folder).parts["train"], ImageOptions(size)
    images = np.empty((len(part), 3, size, size), np.uint8)
    for index in range(len(part)):
        with part.open(index) as image:
            images[index] = square(image, options)
    return images


def own() -> int:
    """Bytes of memory that are this process's alone."""
    return resident("RssAnon")


def child(config: Path) -> None:
    """Open the images and print what that took."""
    from nas.dataset import open_dataset

    before, began = own(), time.perf_counter()
    dataset = open_dataset(Config.load(config))
    fingerprint = dataset.fingerprint
    seconds = time.perf_counter() - began
    said = {"seconds": seconds, "own": own() - before, "pixels": dataset.bytes}
    print(json.dumps({**said, "fingerprint": fingerprint}))


def started(config: Path) -> dict[str, float]:
    """What ``child`` says in a fresh process."""
    command = [sys.executable, __file__, "--child", str(config)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def starts(folder: Path, images: Path, size: int, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds and memory with the cache and without, by turns; the first, which fills it, apart."""
    configs = {}
    for name, cache in (("without", None), ("with", str(folder / "cache"))):
        configs[name] = folder / f"{name}.yaml"
        data = DataConfig(str(images), size=size, shift=0, cache=cache)
        Config(data=data, space=SpaceConfig(resolutions=(size,))).save(configs[name])
    found = {"first": [started(configs["with"])], "without": [], "with": []}
    for _ in range(rounds):
        for name, config in configs.items():
            found[name].append(started(config))
    assert len({one["fingerprint"] for several in found.values() for one in several}) == 1
    return {
        name: {
            what: round(statistics.median(one[what] for one in several), 4)
            for what in ("seconds", "own", "pixels")
        }
        for name, several in found.items()
    }


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return 0
    size, rounds, cores = options.size, options.rounds, usable_cores()
    with tempfile.TemporaryDirectory() as name:
        folder, images = Path(name), Path(name, "images")
        make_images(images, options.images)
        pair = interleaved(
            lambda: loop(images, size),
            lambda: decode(open_source(images), "train", ImageOptions(size)),
            rounds,
            warm_up=1,
        )
        seconds = starts(folder, images, size, rounds)
    without, kept = seconds["without"], seconds["with"]
    a_core = round(pair.ratio / cores, 3)
    sooner = round(without["seconds"] / kept["seconds"], 1)
    shares = {name: round(one["own"] / one["pixels"], 3) for name, one in seconds.items()}
    print(f"threads: {pair.ratio:.2f} times a loop on {cores} cores, {a_core} a core")
    print(f"start: {sooner} times as soon with the cache ({kept['seconds']:.3f} s)")
    print(f"own memory by pixels: {shares['without']} without the cache, {shares['with']} with it")
    save(
        options.out,
        {
            "machine": machine() | {"usable cores": cores},
            "images": options.images,
            "size": size,
            "loop against threads": pair,
            "threads a core": a_core,
            "starts": seconds,
            "sooner": sooner,
            "own memory by pixels": shares,
        },
    )
    holds = a_core >= A_CORE and sooner >= SOONER and shares["with"] <= OWN
    print("holds" if holds else "FALLS SHORT")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
