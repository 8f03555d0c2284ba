"""Search spaces: which values of a configuration are searched, read from YAML and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import configs
from experiments import config
from experiments.errors import InputError

Number = int | float


@dataclass(frozen=True)
class Range:
    """Values of one key: an interval, or choices (any YAML values).

    whole: only whole numbers; log: searched by its logarithm.
    """

    key: str
    low: Number = 0
    high: Number = 0
    log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def suggest(self, trial: Any) -> Any:
        """Ask an Optuna trial for a value; choices are stored as JSON."""
        if self.choices:
            return json.loads(trial.suggest_categorical(self.key, [*map(json.dumps, self.choices)]))
        if self.whole:
            return trial.suggest_int(self.key, self.low, self.high, log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, log=self.log)

    def corners(self) -> tuple[Any, ...]:
        """Values that must all be valid."""
        return self.choices or (self.low, self.high)


def read_space(path: Path | None, kind: str, overrides: Sequence[str]) -> tuple[Range, ...]:
    """The search space of an agent, every corner of it a valid configuration.

    Args:
        path: of a YAML file; None takes `configs/tune/<kind>.yaml`.
        overrides: of the configuration that is tuned.

    Raises:
        InputError: listing every fault of the file, and every corner that is no configuration.
    """
    where = path or configs.root() / "tune" / f"{kind}.yaml"
    if not where.is_file():
        known = sorted(file.stem for file in (configs.root() / "tune").glob("*.yaml"))
        raise InputError(
            f"{where}: no such search space; there are some for {', '.join(known)}, "
            "--space names another file"
        )
    try:
        content = yaml.safe_load(where.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{where}: expected a table of keys with their ranges")
    problems: list[str] = []
    space = [_range(str(key), entry, f"{where}: {key}", problems) for key, entry in content.items()]
    ranges = tuple(entry for entry in space if entry is not None)
    if problems:
        raise InputError(problems)
    for corner in range(max(len(entry.corners()) for entry in ranges)):
        values = {r.key: r.corners()[min(corner, len(r.corners()) - 1)] for r in ranges}
        try:
            config.load([*overrides, *words(values)])
        except InputError as error:
            problems += [f"{where}: {text}" for text in error.problems]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))
    return ranges


def words(values: Mapping[str, Any]) -> list[str]:
    """Values as overrides."""
    return [f"{key}={json.dumps(value, separators=(',', ':'))}" for key, value in values.items()]


def _range(key: str, entry: Any, where: str, problems: list[str]) -> Range | None:
    if not isinstance(entry, Mapping):
        problems.append(f"{where}: expected {{low, high}} or {{choices}}, found {entry!r}")
        return None
    if set(entry) == {"choices"}:
        if isinstance(entry["choices"], list) and entry["choices"]:
            return Range(key, choices=tuple(entry["choices"]))
        problems.append(f"{where}.choices: expected a list of values, found {entry['choices']!r}")
        return None
    if not {"low", "high"} <= set(entry) <= {"low", "high", "log"}:
        problems.append(
            f"{where}: expected low, high and perhaps log, or choices; found {', '.join(entry)}"
        )
        return None
    low, high, log = entry["low"], entry["high"], entry.get("log", False)
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in (low, high)):
        problems.append(f"{where}: low and high must be numbers, found {low!r} and {high!r}")
    elif not low < high:
        problems.append(f"{where}: low {low} must be below high {high}")
    elif not isinstance(log, bool) or (log and low <= 0):
        problems.append(f"{where}: log: expected true or false, and true only above 0")
    else:
        return Range(key, low, high, log)
    return None
