"""A device over ssh, against a real sshd: what goes wrong, and that nothing is lost."""

from __future__ import annotations

import os
import sys
import time
import venv
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import latency_lut
from latency_lut import worker
from latency_lut.errors import DeviceError
from latency_lut.journal import Journal
from latency_lut.references import references
from latency_lut.seam import Model
from latency_lut.ssh import SshDevice, ssh_device
from tests.latency_lut.sshd import Sshd
from tests.latency_lut.synthetic import tiny_space

SPACE = tiny_space((16,))


def refused(device: SshDevice) -> str:
    with pytest.raises(DeviceError) as said, device.connect():
        pass
    assert str(said.value).startswith(f"{device.name}: the measuring process ")
    return str(said.value)


# Addresses.


def test_addresses_are_read_and_options_are_no_part_of_the_name() -> None:
    device = ssh_device("ssh://me@pi.local:2222?python=venv/bin/python", threads=4)
    assert (device.destination, device.port, device.threads) == ("me@pi.local", 2222, 4)
    assert device.python == "venv/bin/python"
    assert device.name == "ssh://me@pi.local:2222"
    assert ssh_device("ssh://[fe80::1%eth0]").name == "ssh://[fe80::1%eth0]"
    assert ssh_device("ssh://pi/").name == "ssh://pi"
    assert ssh_device("ssh://pi?python=/a%20b/python").python == "/a b/python"
    assert latency_lut.table_name("ssh://me@pi:22?python=/usr/bin/python3") == "ssh-me-pi-22"


@pytest.mark.parametrize(
    "address",
    [
        "ssh://",
        "ssh://-oProxyCommand=reboot",
        "ssh://-l@host",
        "ssh://pi:99999",
        "ssh://pi:ssh",
        "ssh://pi?shell=fish",
        "ssh://pi?python=",
        "ssh://pi/folder",
        "ssh://a b",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(DeviceError, match=r"is ssh://\[user@\]host\[:port\].*; got 'ssh://"):
        latency_lut.device(address)


def test_the_environment_says_what_the_address_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ssh_device("ssh://pi").python, ssh_device("ssh://pi").config) == ("python3", None)
    monkeypatch.setenv("NAS_LOOP_SSH_PYTHON", "/opt/python")
    monkeypatch.setenv("NAS_LOOP_SSH_CONFIG", "/tmp/config")
    assert ssh_device("ssh://pi").python == "/opt/python"
    assert ssh_device("ssh://pi").config == "/tmp/config"
    assert ssh_device("ssh://pi?python=mine").python == "mine"
    assert ssh_device("ssh://pi?python=mine", python="given").python == "given"


# What is there.


def test_the_fingerprint_is_the_other_machines_and_asked_for_once(sshd: Sshd) -> None:
    device = sshd.device()
    found = device.fingerprint()
    machine = worker.machine()
    assert (found.device, found.threads) == ("ssh://pi", 1)
    assert (found.cpu, found.system) == (machine["cpu"], machine["system"])
    assert found.runtime == f"onnxruntime {onnxruntime.__version__}"
    log = sshd.folder / "log"
    before = log.read_bytes()
    assert device.fingerprint() is found and log.read_bytes() == before, "a second connection"
    assert device.conditions().keys() == {"governor", "celsius", "load"}
    with pytest.raises(
        DeviceError, match=r"threads is from 1 to the \d+ cores of ssh://pi; got 99"
    ):
        sshd.device(threads=99).fingerprint()
    with pytest.raises(DeviceError, match="threads is 1 or more; got 0"):
        sshd.device(threads=0)


def test_it_may_take_two_threads(sshd: Sshd) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("needs two cores")
    with sshd.device(threads=2).connect() as connection:
        (loaded,) = connection.load([references()[0]])
    assert loaded.run_ms > 0 and loaded.memory_bytes is not None


# What goes wrong before there is a worker: each says what to do.


@pytest.mark.parametrize(
    ("host", "said", "advice"),
    [
        ("nowhere", "Could not resolve hostname", "check the address, or give the host a name"),
        ("off", "Connection refused", "is it on, and does its sshd listen at this port?"),
        ("stranger", "Host key verification failed", r"run `ssh -F \S+ stranger` once and accept"),
        ("refused", "Permission denied", "takes none of your keys: use ssh-copy-id, or add a key"),
        ("chatty", "it printed 'Welcome to pi'", "`ssh -F .* chatty true` must print nothing"),
    ],
)
def test_a_host_that_is_not_to_be_had(sshd: Sshd, host: str, said: str, advice: str) -> None:
    text = refused(sshd.device(host))
    assert said in text
    with pytest.raises(DeviceError, match=advice):
        sshd.device(host).fingerprint()


def test_another_key_than_the_known_one_is_no_matter_of_accepting_it(
    sshd: Sshd, tmp_path: Path
) -> None:
    known = (sshd.folder / "known").read_text().split()[0]
    other = (sshd.folder / "user.pub").read_text()
    (tmp_path / "known").write_text(f"{known} {other}")
    config = (
        (sshd.folder / "config").read_text().replace(f"{sshd.folder}/known", f"{tmp_path}/known")
    )
    (tmp_path / "config").write_text(config)
    assert "find out why the key is another one" in refused(sshd.device(config=tmp_path / "config"))


def test_a_python_that_is_not_there_or_too_old(sshd: Sshd, tmp_path: Path) -> None:
    text = refused(sshd.device(python="/nonexistent/python"))
    assert "No such file" in text and "in the address" not in text
    assert "name a Python of 3.9 or newer there: ssh://pi?python=" in text
    old = tmp_path / "python"
    old.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; '
        'sys.version_info = (3, 8); source = sys.argv[1]; exec(source)" "$2"\n'
    )
    old.chmod(0o755)
    text = refused(sshd.device(python=str(old)))
    assert "older than 3.9; name a Python of 3.9 or newer" in text


def test_without_onnxruntime_there(sshd: Sshd, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare")
    python = tmp_path / "bare" / "bin" / "python"
    device = sshd.device(python=str(python))
    advice = f"install it: ssh -F {sshd.config} pi {python} -m pip install numpy onnxruntime"
    with pytest.raises(DeviceError, match="No module named .numpy") as said, device.connect():
        pass
    assert advice in str(said.value)
    with pytest.raises(DeviceError, match="No module named .onnxruntime") as said:
        device.fingerprint()
    assert advice in str(said.value)


def test_without_ssh_here(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "does not start" in refused(sshd.device()) and "install OpenSSH" in refused(
        sshd.device()
    )


# Connections that break.


def gone(sshd: Sshd) -> bool:
    """Whether nothing of ours is left on the other side, within some seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if (
            not sshd.sessions()
            and not list(sshd.remote_folder.glob("nas-loop-*"))
            and not workers(sshd)
        ):
            return True
        time.sleep(0.05)
    return False


def workers(sshd: Sshd) -> list[int]:
    """Processes with the temporary folder of this sshd's sessions."""
    mark = f"TMPDIR={sshd.remote_folder}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_a_connection_that_breaks_while_a_model_is_sent_leaves_nothing_there(sshd: Sshd) -> None:
    def content() -> bytes:
        sshd.cut()
        return bytes(8 << 20)

    with (
        pytest.raises(DeviceError, match=r"code 255.*the connection broke.*model 'cut'"),
        sshd.device().connect() as connection,
    ):
        list(connection.load([references()[0]]))
        list(connection.load([Model("cut", content)]))
    assert gone(sshd)


def measure(device: SshDevice, folder: Path, report: Any = None) -> latency_lut.LatencyTable:
    return latency_lut.measure(
        SPACE,
        device,
        rng=np.random.default_rng(0),
        effort=latency_lut.Effort(rounds=4, runs=2, legs=2),
        whole_networks=4,
        held_out=2,
        folder=folder,
        report=report,
        allow_noisy=True,
    )


def test_a_campaign_goes_on_after_the_connection_was_cut(sshd: Sshd, tmp_path: Path) -> None:
    device = sshd.device()

    told: list[latency_lut.Progress] = []

    def cut(progress: latency_lut.Progress) -> None:
        told.append(progress)
        if len(told) == 2:  # After the first round of two in this connection.
            assert workers(sshd), "the worker there runs until then"
            sshd.cut()

    with pytest.raises(DeviceError, match="the connection broke; a table's samples are kept"):
        measure(device, tmp_path / "pi.samples", cut)
    assert gone(sshd)
    kept = Journal(tmp_path / "pi.samples")
    with closing(kept):
        kept.resume()
    assert kept.windows
    table = measure(device, tmp_path / "pi.samples")
    assert table.windows[: len(kept.windows)] == tuple(kept.windows)
    assert len(table.windows) > len(kept.windows)
    assert table.fingerprint == device.fingerprint()
    assert np.isfinite(table.predict(SPACE.sample(20, np.random.default_rng(0)))).all()
    assert table.campaign.conditions["before"].keys() == {"governor", "celsius", "load"}
    assert gone(sshd)
