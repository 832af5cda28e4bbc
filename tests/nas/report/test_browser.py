"""What a browser makes of the page."""

from __future__ import annotations

import json
import re
import subprocess
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
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


MEASURING = """<script>
const boxes = [...document.querySelectorAll(".scroll")].map(box => [
  getComputedStyle(box).overflowX, box.clientWidth, box.scrollWidth,
  box.getBoundingClientRect().right]);
document.body.textContent = "<<" + JSON.stringify(
  {inner: innerWidth, page: document.documentElement.scrollWidth, boxes}) + ">>";
</script>"""


@pytest.mark.parametrize("width", [700, 1100])
def test_tables_scroll_in_their_boxes_and_no_box_leaves_the_page(
    whole: Run, tmp_path: Path, width: int
) -> None:
    page = tmp_path / "report.html"
    write_report(gather(whole), page)
    page.write_text(page.read_text() + MEASURING)
    told = subprocess.run(
        [
            program(),
            *FLAGS,
            "--hide-scrollbars",
            f"--window-size={width},1200",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    found = re.search(r"&lt;&lt;(.*)&gt;&gt;", told)
    assert found
    seen = json.loads(found[1])
    assert seen["inner"] == width
    assert seen["page"] <= width
    assert all(box[0] == "auto" and box[3] <= width for box in seen["boxes"])
    if width == 700:
        assert any(inside > outside for _, outside, inside, _ in seen["boxes"])


def _luminance(colour: str) -> float:
    """WCAG's relative luminance of a colour such as #2b0a3d."""
    parts = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_shades_of_the_growth_differ_in_lightness_step_by_step() -> None:
    style = resources.files("nas.report").joinpath("style.css").read_text(encoding="utf-8")
    shades = re.findall(r"--g\d: (#[0-9a-f]{6});", style)
    light, dark = shades[:4], shades[4:]
    assert len(dark) == 4
    # Darker and darker on light paper, lighter and lighter on dark: told apart without hues.
    for early, late in [
        *zip(light[1:], light[:-1], strict=True),
        *pairwise(dark),
    ]:
        assert (_luminance(late) + 0.05) / (_luminance(early) + 0.05) > 1.5
