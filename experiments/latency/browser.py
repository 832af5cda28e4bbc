"""A table measured by a browser, against networks that the same browser measured.

    python experiments/latency/browser.py --out DIR [--allow-noisy] [--quick] [--no-browser]

Starts a headless Chromium, unless told not to: then the page is to be opened by hand, on a phone
for instance. Writes table.json and results.json, and ends with code 1 if the ranks of the held-out
networks agree less than claimed. Interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import latency_lut
import search_spaces
from latency_lut import Effort, Progress
from latency_lut.browser import BrowserDevice, Settings
from latency_lut.errors import DeviceError
from latency_lut.worker import machine

KENDALL = 0.9
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium(url: str) -> Iterator[None]:
    """A headless browser with a fresh profile that shows the page."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise DeviceError("chromium is not installed; open the page by hand, with --no-browser")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="small-images")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--fitted", type=int, default=25, help="networks that the fit sees")
    parser.add_argument("--held-out", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--allow-noisy", action="store_true")
    parser.add_argument("--quick", action="store_true", help="few of all, to see that it runs")
    parser.add_argument("--no-browser", action="store_true", help="the page is opened by hand")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    effort = Effort(args.rounds, args.runs)
    if args.quick:
        args.fitted, args.held_out, args.allow_noisy, effort = 3, 4, True, Effort(2, 2, 2)
    space = search_spaces.get(args.space)
    settings = Settings.from_environment()
    if not args.no_browser:  # No browser on this machine trusts a certificate of our own.
        settings = replace(settings, certificate=None)
    device = BrowserDevice(threads=args.threads, settings=settings)
    last = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > 10:
            last = time.monotonic()
            left = f"{progress.seconds_left:.0f} s left"
            print(f"{progress.done}/{progress.total} visits, {left}", file=sys.stderr)

    # Chromium here is on this machine: it opens what the phone would, as a secure page.
    here = f"http://localhost:{device.url.split(':')[2]}"
    with contextlib.nullcontext() if args.no_browser else chromium(here):
        table = latency_lut.measure(
            space,
            device,
            rng=np.random.default_rng(args.seed),
            resolutions=[args.resolution],
            effort=effort,
            whole_networks=args.fitted,
            held_out=args.held_out,
            report=report,
            folder=args.out / "samples",
            allow_noisy=args.allow_noisy,
        )
    found = table.accuracy[args.resolution]
    reached = found.kendall is not None and found.kendall >= KENDALL
    document = {
        "command": " ".join(sys.argv),
        "space": space.name,
        "resolution": args.resolution,
        "kendall": found.kendall,
        "mape": found.mape,
        "claim": f"Kendall's tau at least {KENDALL}",
        "reached": reached,
        "seconds": table.campaign.seconds,
        "entries": len(table.entries),
        "accuracy": asdict(found),
        "campaign": asdict(table.campaign),
        "fingerprint": table.fingerprint.to_dict(),
        "machine": {**machine(), "load": os.getloadavg()},
    }
    table.save(args.out / "table.json")
    (args.out / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    shutil.rmtree(args.out / "samples")
    print(json.dumps({key: document[key] for key in ("kendall", "mape", "seconds", "reached")}))
    print(f"{found.networks} held-out networks; {table.fingerprint}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
