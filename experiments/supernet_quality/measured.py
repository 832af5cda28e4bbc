"""Times of networks that were measured side by side, kept with what they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latency_lut import Device, Fingerprint
from latency_lut.agreement import HALVES
from latency_lut.latency import disagreement
from latency_lut.networks import measure_networks
from latency_lut.plans import network_model
from nas.terminal import Screen
from search_spaces.files import write_atomic
from search_spaces.plan import Plan, digest


@dataclass(frozen=True)
class Time:
    """What a network takes and the standard error of that, in milliseconds."""

    ms: float
    error_ms: float


Times = Mapping[str, Time]
"""Of networks by name."""


@dataclass(frozen=True)
class Measurement:
    """``disagreement`` of its halves is 0.01 for 1%, the median over networks."""

    times: Times
    disagreement: float
    fingerprint: Mapping[str, Any]

    def account(self) -> dict[str, Any]:
        """For people to read beside what was concluded."""
        return {"disagreement": self.disagreement, "device": dict(self.fingerprint)}


def measurement(
    plans: Mapping[str, Plan], device: Device, file: Path, elsewhere: bool, screen: Screen
) -> Measurement:
    """All networks of ``plans`` measured interleaved, or what ``file`` has of the same ones.

    Measured all anew if one of them is not there or is another network by now, since only what is
    interleaved compares. ``elsewhere`` allows times of another device or runtime.

    Raises:
        SystemExit: the halves of the measurement differ by more than 3%, and nothing is kept; or
            the file is of another device or runtime and that is not allowed, or does not have all.
    """
    digests = {name: digest(plan) for name, plan in plans.items()}
    here = device.fingerprint()
    if file.is_file():
        known = json.loads(file.read_text(encoding="utf-8"))
        differ = here.differences(Fingerprint.from_dict(known["device"]))
        has = known["networks"]
        whole = all(has.get(name, {}).get("digest") == one for name, one in digests.items())
        if differ and not (elsewhere and whole):
            raise SystemExit(
                f"{file} has times of another device or runtime ({differ})"
                f"{'' if whole else ', and not of all these networks'}: measure here into another "
                "-o, or go on with the same networks by --measured-elsewhere"
            )
        if whole:
            times = {name: Time(one["ms"], one["error_ms"]) for name, one in has.items()}
            return Measurement(times, known["disagreement"], known["device"])
    screen.say(f"measuring {len(plans)} networks; leave the machine quiet")
    found = measure_networks(
        [network_model(name, plan) for name, plan in plans.items()],
        device,
        rng=np.random.default_rng(0),
        memory=False,
    )
    apart = disagreement([one.latency for one in found])
    if apart > HALVES:
        raise SystemExit(
            f"the halves of the measurement differ by {apart:.1%}, more than {HALVES:.0%}: nothing "
            "is kept; stop what else runs on this machine and measure again"
        )
    times = {one.name: Time(one.latency.latency_ms, one.latency.error_ms) for one in found}
    document = {
        "device": here.to_dict(),
        "disagreement": round(apart, 5),
        "networks": {name: {**asdict(times[name]), "digest": digests[name]} for name in plans},
    }
    write_atomic(file, json.dumps(document, indent=1) + "\n")
    return Measurement(times, document["disagreement"], document["device"])
