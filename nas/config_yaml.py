"""YAML as configurations are written: no key twice, numbers as people write them, comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import yaml

from search_spaces.errors import ConfigError

__all__ = ["dump", "parse"]

_WIDTH = 96
# YAML 1.1 takes 1e-4 for a text; everybody else takes it for a number.
_FLOAT = re.compile(r"^[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)$")


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                raise ConfigError(f"a key is a name; line {line} has a list or a mapping as one")
            if key.value in seen:
                line = key.start_mark.line + 1
                raise ConfigError(f"key {key.value} is given twice, again in line {line}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def parse(text: str) -> object:
    """What a YAML text holds.

    Raises:
        ConfigError: not YAML, or a key given twice; names the line.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(f"not YAML{line}: {getattr(error, 'problem', error)}") from error


def dump(config: Any, notes: Mapping[str, str], heading: str) -> str:
    """A dataclass of sections as YAML; the help of every field becomes a comment above it.

    `notes` maps a key (`data.size`) to a remark about its value, written below the help.
    """
    lines = [*_comment(heading, 0), ""]
    lines += _section(config, "", notes, 0)
    return "\n".join(lines).rstrip() + "\n"


def _section(section: Any, where: str, notes: Mapping[str, str], indent: int) -> list[str]:
    lines: list[str] = []
    for entry in fields(section):
        key = f"{where}.{entry.name}" if where else entry.name
        value = getattr(section, entry.name)
        lines += _comment(entry.metadata.get("help", ""), indent)
        lines += _comment(notes.get(key, ""), indent)
        pad = " " * indent
        if is_dataclass(value):
            lines += [f"{pad}{entry.name}:", *_section(value, key, notes, indent + 2), ""]
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            lines += [f"{pad}{entry.name}:", *(f"{pad}  - {_flow(_plain(one))}" for one in value)]
        else:
            lines.append(f"{pad}{entry.name}: {_flow(_plain(value))}")
    return lines


def _comment(text: str, indent: int) -> list[str]:
    pad = " " * indent
    return [f"{pad}# {line}" for line in textwrap.wrap(text, _WIDTH - indent)]


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        pairs = ((entry.name, getattr(value, entry.name)) for entry in fields(value))
        return {name: _plain(one) for name, one in pairs if one is not None}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return dict(value) if isinstance(value, Mapping) else value


def _flow(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=10**6, sort_keys=False
    )
    # A lone scalar is followed by the mark that ends a document.
    return text.removesuffix("...\n").strip()
