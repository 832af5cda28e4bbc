"""The decisions: one value for every choice of a space. Plain data, JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

from search_spaces.choices import Value
from search_spaces.errors import SpaceError

FORMAT = 1


@dataclass(frozen=True)
class Architecture:
    """``space`` and ``identity`` say of which space; ``values`` one pair for every choice."""

    space: str
    identity: str
    values: tuple[tuple[str, Value], ...]

    def __getitem__(self, name: str) -> Value:
        for choice, value in self.values:
            if choice == name:
                return value
        raise KeyError(name)

    def to_json(self) -> str:
        """Readable JSON that ``from_json`` takes back."""
        document = {
            "format": FORMAT,
            "space": self.space,
            "identity": self.identity,
            "choices": dict(self.values),
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """The architecture in ``text``; raises ``SpaceError`` if it holds none."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise SpaceError(
                    f"architecture format {document['format']!r} is not {FORMAT}, the one this "
                    "version reads; write it again with this version"
                )
            choices = tuple((str(name), value) for name, value in document["choices"].items())
            return cls(str(document["space"]), str(document["identity"]), choices)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SpaceError(
                "not an architecture: JSON with format, space, identity and choices is expected "
                f"({type(error).__name__}: {error})"
            ) from error
