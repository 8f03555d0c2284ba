"""Thresholds of the gate: read from configs/gate, checked, and compared with the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import configs

DIRECTIONS = ("higher", "lower", "fewer")


class ThresholdError(ValueError):
    """A threshold file is wrong; ``problems`` lists everything found in it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Threshold:
    """One threshold with its default and the direction in which it would be looser."""

    section: str
    key: str
    value: Any
    default: Any
    unit: str
    looser: str | None
    bounds: tuple[float, float] | None
    source: str

    @property
    def name(self) -> str:
        """Dotted name, as in the file."""
        return f"{self.section}.{self.key}"

    @property
    def loosened(self) -> bool:
        """True where the value asks for less than the default does."""
        if self.looser == "higher":
            return bool(self.value > self.default)
        if self.looser == "lower":
            return bool(self.value < self.default)
        return self.looser == "fewer" and bool(_members(self.default) - _members(self.value))

    def to_json(self) -> dict[str, Any]:
        """Plain values for the dossier."""
        return {
            "name": self.name,
            "value": self.value,
            "default": self.default,
            "unit": self.unit,
            "source": self.source,
            "loosened": self.loosened,
        }


@dataclass(frozen=True)
class Thresholds:
    """All thresholds of one file, by dotted name."""

    entries: Mapping[str, Threshold]
    file: str

    def number(self, name: str) -> float:
        """A numeric threshold."""
        return float(self.entries[name].value)

    def values(self, name: str) -> tuple[Any, ...]:
        """A list threshold."""
        return tuple(self.entries[name].value)

    def groups(self, name: str) -> dict[str, tuple[str, ...]]:
        """A threshold that maps names to lists of variables."""
        return {key: tuple(names) for key, names in self.entries[name].value.items()}

    def loosened(self) -> tuple[Threshold, ...]:
        """Thresholds that ask for less than the default."""
        return tuple(entry for entry in self if entry.loosened)

    def __iter__(self) -> Iterator[Threshold]:
        return iter(self.entries.values())


def load(path: str | Path | None = None) -> Thresholds:
    """Read the default thresholds, or a file that changes some of them.

    Raises ThresholdError with every problem of the file: unknown entries, wrong types, values
    out of range.
    """
    default_file = configs.root() / "gate" / "default.yaml"
    table = yaml.safe_load(default_file.read_text(encoding="utf-8"))
    entries = {
        f"{section}.{key}": _entry(section, key, fields)
        for section, keys in table.items()
        for key, fields in keys.items()
    }
    if path is None or Path(path).resolve() == default_file.resolve():
        return Thresholds(entries, "configs/gate/default.yaml")
    changes, problems = _read_changes(Path(path), entries)
    if problems:
        raise ThresholdError(problems)
    return Thresholds({**entries, **changes}, str(path))


def _entry(section: str, key: str, fields: Mapping[str, Any]) -> Threshold:
    bounds = fields.get("range")
    looser = fields.get("looser")
    if looser is not None and looser not in DIRECTIONS:
        raise ThresholdError([f"{section}.{key}: looser must be one of {DIRECTIONS}, is {looser}"])
    return Threshold(
        section=section,
        key=key,
        value=fields["value"],
        default=fields["value"],
        unit=fields["unit"],
        looser=looser,
        bounds=(float(bounds[0]), float(bounds[1])) if bounds else None,
        source=fields["source"],
    )


def _read_changes(
    path: Path, entries: Mapping[str, Threshold]
) -> tuple[dict[str, Threshold], list[str]]:
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        return {}, [f"{path}: cannot be read ({error.strerror})"]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return {}, [f"{path}: not a YAML file ({' '.join(str(error).split())})"]
    if not isinstance(table, dict):
        return {}, [
            f"{path}: expected sections such as {sorted({e.section for e in entries.values()})}"
        ]
    changes: dict[str, Threshold] = {}
    problems = []
    for section, keys in table.items():
        if not isinstance(keys, dict):
            problems.append(f"{path}: {section}: expected entries, got {keys!r}")
            continue
        for key, value in keys.items():
            name = f"{section}.{key}"
            if name not in entries:
                problems.append(f"{path}: {name}: unknown; known are {sorted(entries)}")
                continue
            entry = entries[name]
            problem = _value_problem(entry, value)
            if problem:
                problems.append(f"{path}: {name}: {problem}, got {value!r}")
                continue
            fields = {**entry.__dict__, "value": value}
            changes[name] = Threshold(**fields)
    return changes, problems


def _value_problem(entry: Threshold, value: Any) -> str | None:
    if isinstance(entry.default, list):
        kind = type(entry.default[0])
        right = isinstance(value, list) and all(
            isinstance(item, kind) and not isinstance(item, bool) for item in value
        )
        return None if right else f"expected a list of {kind.__name__}"
    if isinstance(entry.default, dict):
        right = isinstance(value, dict) and all(isinstance(names, list) for names in value.values())
        return None if right else "expected names, each with a list of variables"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "expected a number"
    if entry.bounds and not entry.bounds[0] <= value <= entry.bounds[1]:
        return f"expected {entry.bounds[0]:g} to {entry.bounds[1]:g} {entry.unit}"
    return None


def _members(value: Any) -> set[str]:
    """Members of a list, or of every list of a mapping together with its key."""
    if isinstance(value, dict):
        return {f"{key}:{name}" for key, names in value.items() for name in names}
    return {str(item) for item in value}
