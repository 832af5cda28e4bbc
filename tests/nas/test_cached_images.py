"""``data.cache`` as commands see it: same results, said ahead, shared by all processes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nas.config import Config
from nas.data import SILENT, cache
from nas.dataset import open_dataset
from nas.init import proposed_cache
from nas.jobs.outside import IMAGENET, data_section, save_run
from nas.memory import machine_memory
from nas.run import Run
from search_spaces.errors import ConfigError, DataError
from tests.nas.test_full_disk import files_up_to
from tests.nas.tiny import CLASSES, IMAGES, ROOT, files, nas, tiny
from tests.nas.training.test_ranks import torchrun

# Opens the images as a command does, under torchrun.
CHILD = """
import json, sys
from pathlib import Path
import torch
from nas.config import Config
from nas.data import cache
from nas.dataset import open_dataset
from nas.training.ranks import joined

pieces = []
decoded = cache.decoded
cache.decoded = lambda *given: (pieces.append(len(one)) or one for one in decoded(*given))
with joined() as ranks:
    dataset = open_dataset(Config.load(sys.argv[1]))
    mean = ranks.mean(dataset.images.train.double().mean((0, 2, 3)))
    said = {"decoded": sum(pieces), "fingerprint": dataset.fingerprint, "mean": mean.tolist()}
    Path(sys.argv[2], f"{ranks.rank}.json").write_text(json.dumps(said))
"""


def with_cache(config: Path, folder: Path) -> Path:
    path = config.with_name("cached.yaml")
    path.write_text(config.read_text().replace("data: {", f"data: {{cache: {folder}, "))
    return path


def test_training_and_what_follows_are_the_same(untrained: Path, tmp_path: Path) -> None:
    cached = with_cache(untrained, tmp_path / "kept")
    said = nas("train", cached, "--out", tmp_path / "with")
    assert said.code == 0, said.err
    assert f"{IMAGES} images are decoded, once, into {tmp_path}/kept: 1 MB" in said.err
    assert re.search(rf"to go and \d+ MB in .*, beside 1 MB of images in {tmp_path}/kept", said.err)
    # Where images are kept may change: the run goes on without, and the same weights belong to it.
    assert nas("train", untrained, "--out", tmp_path / "without").code == 0
    name = "supernet.safetensors"
    assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
    assert nas("train", untrained, "--out", tmp_path / "with", "--resume").code == 0
    here, there = (open_dataset(Config.load(one), SILENT) for one in (untrained, cached))
    assert here.fingerprint == there.fingerprint and here.bytes == there.bytes
    assert torch.equal(here.images.train, there.images.train)
    assert here.images.normalisation == there.images.normalisation
    map_ = there.splits.train.images
    assert there.images.train.data_ptr() == map_.ctypes.data and not map_.flags.owndata


def test_a_full_disk_is_one_line(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", with_cache(untrained, tmp_path / "kept"), "--out", tmp_path / "run")
    with files_up_to(2_000):
        said = nas(*command)
    assert said.code == 2 and "Traceback" not in said.err
    assert f"nas: {tmp_path}/kept/train-10px-" in said.err.splitlines()[-1]
    assert set(files(tmp_path / "kept")) == {".lock"} and not (tmp_path / "run").exists()
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    said = nas(*command)
    assert said.code == 2 and said.err.splitlines()[-1] == (
        f"nas: {tmp_path}/kept: 1 MB are needed and 0 MB are free; make room or choose another "
        "data.cache"
    )


def test_processes_under_torchrun_share_one(untrained: Path, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    command = torchrun(2, script, with_cache(untrained, tmp_path / "kept"), tmp_path)
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    expected = open_dataset(Config.load(untrained), SILENT)
    assert first["fingerprint"] == second["fingerprint"] == expected.fingerprint
    np.testing.assert_allclose(first["mean"], expected.images.normalisation.mean)
    count = len(expected.splits.train) + len(expected.splits.val)
    assert {first["decoded"], second["decoded"]} == {0, count}


def test_test_images_that_are_divided_off_are_checked_with_the_others(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = with_cache(untrained, tmp_path / "kept")
    expected = open_dataset(Config.load(untrained), SILENT)
    dataset = open_dataset(Config.load(cached), SILENT, check_test=True)
    assert dataset.splits.test().fingerprint == expected.splits.test().fingerprint
    assert len(list((tmp_path / "kept").glob("train*.npy"))) == 3
    monkeypatch.setattr(cache, "decoded", None)
    assert len(open_dataset(Config.load(cached), SILENT).splits.test()) == IMAGES // 5


def test_trainings_and_imports_look_at_test_images_first(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*given: object) -> None:
        raise DataError("x.png: is not an image")

    monkeypatch.setattr("nas.data.splits.decoded", damaged)
    config, run = Config.load(untrained), Run(tmp_path / "run")
    open_dataset(config, SILENT)
    assert nas("train", untrained, "--out", run.folder).err.endswith("x.png: is not an image\n")
    supernet = tiny().supernet()
    with pytest.raises(DataError, match=r"x\.png: is not an image"):
        save_run(run, config, supernet, CLASSES, IMAGENET, "elsewhere")
    assert not run.folder.exists()


def test_images_that_change_before_the_test_part_is_read(untrained: Path, tmp_path: Path) -> None:
    dataset = open_dataset(Config.load(untrained), SILENT)
    images = tmp_path / "images.npz"
    held = dict(np.load(images))
    np.savez(images, images=held["images"][1:], labels=held["labels"][1:])
    with pytest.raises(DataError, match=r"has other images than when it was opened; start again"):
        dataset.splits.test()


def test_where_memory_is_short_a_cache_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 1_000_000 * 3 * 224 * 224
    for memory, proposed in ((2 * needed, None), (2 * needed - 1, "~/.cache/nas-loop/images")):
        monkeypatch.setattr("nas.init.machine_memory", lambda memory=memory: memory)
        assert proposed_cache(1_000_000, 224) == proposed
    out = tmp_path / "nas.yaml"
    monkeypatch.setattr("nas.init.machine_memory", lambda: 1797 * 3 * 16 * 16)
    assert nas("init", "digits", "-o", out).code == 0
    config = Config.load(out)
    assert config.images.cache_folder == Path("~/.cache/nas-loop/images").expanduser()
    assert "# Decoded, 1,797 images take 2 MB, more than half of this machine's memory." in (
        out.read_text()
    )
    assert data_section("digits", 16).cache == config.images.cache
    monkeypatch.undo()
    assert data_section("digits", 16).cache is None


V1 = "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n"
NO_LIMIT = "9223372036854771712"


@pytest.mark.parametrize(
    ("member", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": "max"}, None),
        ("0::/\n", {"memory.max": "1000000"}, 1_000_000),  # A container with groups of its own.
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "2000000"}, 2_000_000),
        ("0::/a/b\n", {"a/b/memory.max": "1000000", "a/memory.max": "2000000"}, 1_000_000),
        ("0::/a/b\n", {"memory.max": "1000000"}, 1_000_000),  # It sees none but its own.
        ("0::/a/b\n", {"a/c/memory.max": "1000000"}, None),
        (V1, {"memory/a/b/memory.limit_in_bytes": NO_LIMIT}, None),
        (V1, {"memory/a/memory.limit_in_bytes": "1000000"}, 1_000_000),
        (V1, {"memory/memory.limit_in_bytes": "1000000", "a/b/memory.max": "5"}, 1_000_000),
    ],
)
def test_memory_is_the_machines_or_what_groups_of_processes_may_use(
    member: str, limits: dict[str, str], expected: int | None, tmp_path: Path
) -> None:
    total = int(Path("/proc/meminfo").read_text().split()[1]) * 1024
    here = tmp_path / "cgroup"
    assert machine_memory(here, tmp_path) == pytest.approx(total, rel=0.01)
    here.write_text(member)
    for name, text in limits.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert machine_memory(here, tmp_path) == (expected or pytest.approx(total, rel=0.01))


def test_the_folder_may_have_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "data: {path: digits, cache: $FAST/images}"
    monkeypatch.setenv("FAST", "/fast")
    assert Config.from_yaml(text).images.cache_folder == Path("/fast/images")
    monkeypatch.delenv("FAST")
    with pytest.raises(ConfigError, match=r"data\.cache names a variable that is not set"):
        _ = Config.from_yaml(text).images.cache_folder
    with pytest.raises(ConfigError, match=r"data\.cache must be not empty"):
        Config.from_yaml("data: {path: digits, cache: ''}")
    assert Config.from_yaml("data: {path: digits}").images.cache_folder is None


def test_a_run_goes_on_with_another_cache(tmp_path: Path) -> None:
    one, other = (
        Config.from_yaml(f"data: {{path: digits, cache: {name}}}") for name in ("null", "x")
    )
    Run.create(tmp_path / "run", one, resume=False)
    assert Run.check(tmp_path / "run", other, resume=True)
