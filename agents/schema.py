"""Typed settings from untrusted mappings: one pass that reports every problem.

Settings are dataclasses without defaults; ranges and choices are written into the type, so that
configuration files and policy files are checked by the same table.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

T = TypeVar("T")


class SettingsError(ValueError):
    """Settings that do not fit their schema; `problems` holds one sentence for each fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True)
class Between:
    """Closed interval that a number must lie in."""

    low: float
    high: float


@dataclass(frozen=True)
class OneOf:
    """Allowed values of a word."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A test of one value; `fault` says what is wrong with it, or nothing."""

    fault: Callable[[Any], str | None]


NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}

Fraction = Annotated[float, Between(0.0, 1.0)]
Action = Annotated[float, Between(-1.0, 1.0)]
Gain = Annotated[float, Between(-1000.0, 1000.0)]


def read(kind: type[T], data: Any, where: str) -> T:
    """Build the dataclass `kind` from a mapping.

    Args:
        kind: a dataclass; nested dataclasses, tuples, mappings and optional fields are followed.
        data: the mapping, as a YAML or JSON reader returns it.
        where: name of the mapping in messages, for example `agent`.

    Raises:
        SettingsError: with every unknown key, missing key, wrong type and value out of range.
    """
    problems: list[str] = []
    value = _dataclass(kind, data, where, problems)
    if problems:
        raise SettingsError(problems)
    return typing.cast(T, value)


def closest(word: str, words: Iterable[str]) -> str:
    """A hint that names the nearest known word, or lists all of them."""
    known = sorted(words)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(known)


def _dataclass(kind: type, data: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(data, Mapping):
        problems.append(f"{where}: expected a table of settings, found {data!r}")
        return None
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = [field.name for field in dataclasses.fields(kind)]
    for key in data:
        if key not in fields:
            problems.append(f"{_join(where, key)}: unknown key; {closest(str(key), fields)}")
    values = {}
    for name in fields:
        if name not in data:
            problems.append(f"{_join(where, name)}: missing")
        else:
            values[name] = _value(hints[name], data[name], _join(where, name), problems)
    return kind(**values) if len(values) == len(fields) else None


def _value(hint: Any, data: Any, where: str, problems: list[str]) -> Any:
    origin = typing.get_origin(hint)
    if origin is Annotated:
        inner, *limits = typing.get_args(hint)
        before = len(problems)
        value = _value(inner, data, where, problems)
        if len(problems) == before and value is not None:
            problems.extend(filter(None, (_outside(limit, value, where) for limit in limits)))
        return value
    if origin in (types.UnionType, typing.Union):
        if data is None:
            return None
        rest = [option for option in typing.get_args(hint) if option is not type(None)]
        return _value(rest[0], data, where, problems)
    if origin is tuple:
        return _sequence(typing.get_args(hint)[0], data, where, problems)
    if origin is dict:
        return _mapping(typing.get_args(hint)[1], data, where, problems)
    if dataclasses.is_dataclass(hint):
        return _dataclass(typing.cast(type, hint), data, where, problems)
    return data if hint is Any else _scalar(hint, data, where, problems)


def _sequence(item: Any, data: Any, where: str, problems: list[str]) -> Any:
    if isinstance(data, str) or not isinstance(data, Sequence):
        problems.append(f"{where}: expected a list, found {data!r}")
        return ()
    return tuple(_value(item, entry, f"{where}[{i}]", problems) for i, entry in enumerate(data))


def _mapping(item: Any, data: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(data, Mapping):
        problems.append(f"{where}: expected a table, found {data!r}")
        return {}
    return {
        str(key): _value(item, entry, _join(where, key), problems) for key, entry in data.items()
    }


def _scalar(hint: Any, data: Any, where: str, problems: list[str]) -> Any:
    if hint is float and isinstance(data, int) and not isinstance(data, bool):
        data = float(data)
    if not isinstance(data, hint) or (hint is not bool and isinstance(data, bool)):
        problems.append(f"{where}: expected {NAMES.get(hint, hint.__name__)}, found {data!r}")
    elif hint is float and not math.isfinite(data):
        problems.append(f"{where}: expected a finite number, found {data!r}")
    return data


def _outside(limit: Any, value: Any, where: str) -> str | None:
    if isinstance(limit, Between) and not limit.low <= value <= limit.high:
        return f"{where}: {value!r} is outside {limit.low:.12g} to {limit.high:.12g}"
    if isinstance(limit, OneOf) and value not in limit.values:
        return f"{where}: unknown choice {value!r}; {closest(value, limit.values)}"
    if isinstance(limit, Check) and (fault := limit.fault(value)):
        return f"{where}: {fault}"
    return None


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
