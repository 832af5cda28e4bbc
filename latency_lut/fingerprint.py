"""What a time belongs to: the device, its runtime, and how that was asked to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from search_spaces.errors import ArtefactError


@dataclass(frozen=True)
class Fingerprint:
    """Equal fingerprints, comparable times; a change in any field asks for a new table.

    ``runtime`` is the inference engine with its version, ``provider`` its execution provider,
    ``system`` the operating system and machine type.
    """

    device: str
    cpu: str
    cores: int
    system: str
    threads: int
    provider: str
    runtime: str
    dtype: str = "float32"
    batch: int = 1

    def differences(self, other: Fingerprint) -> str:
        """Where the two differ, for a message: ``threads 1 here, 2 there``; empty if nowhere."""
        pairs = [(f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return "; ".join(f"{name} {a!r} here, {b!r} there" for name, a, b in pairs if a != b)

    def same_place(self, other: Fingerprint) -> bool:
        """Whether nothing but system and runtime differ, which an update changes."""
        return replace(self, system=other.system, runtime=other.runtime) == other

    def require(self, here: Fingerprint) -> None:
        """Raises ``ArtefactError`` if this one, a table's, is not that of the device ``here``."""
        differences = here.differences(self)
        if differences:
            raise ArtefactError(
                f"the latency table is of another device or runtime: {differences} (in the "
                "table); measure one for this device with `nas measure --name NAME` and choose it "
                "with --table"
            )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Fingerprint:
        """The inverse of ``to_dict``; raises ``TypeError`` on other keys."""
        return cls(**document)
