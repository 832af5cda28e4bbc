"""What a browser makes of the page."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from nas.report import gather, write_report
from nas.run import Run
from tests.latency_lut.chromium import FLAGS, program

WINDOW = ("--hide-scrollbars", "--window-size=1000,1200")


def test_a_screenshot_is_not_blank(whole: Run, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "shot.png"
    write_report(gather(whole), page)
    subprocess.run(
        [
            program(),
            *FLAGS,
            *WINDOW,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    assert pixels.shape == (1200, 1000, 3)
    paper = np.median(pixels.reshape(-1, 3), axis=0)
    inked = np.abs(pixels - paper).max(axis=2) > 40
    assert 0.005 < inked.mean() < 0.5
    # Text and figures reach down the whole picture; a page that failed has a line on top.
    assert all(inked[top : top + 300].any() for top in (0, 300, 600, 900))
    blue = (pixels[..., 2] > pixels[..., 0] + 60) & (pixels[..., 2] > 120)
    assert blue.sum() > 300, "the points of the frontier are blue"
