"""The one table of model parameters: default, range, unit, source.

Every numeric constant of the city model lives here; docs, validation, priors and the
command ``polislab model parameters`` read this table. Symbols follow the model's
specification; ``checked`` says whether the value was compared with its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from envs.city.levers import LEVERS
from envs.city.parameter_table import AXES, TABLE, Parameter

Value = float | tuple[float, ...] | Tensor


def parse_values(raw: Mapping[str, Any]) -> dict[str, Value]:
    """Values as files state them: a number, a list in the order of the axis, or entries by name.

    A number stands for all entries of an axis; entries that a mapping does not name have the
    default of the table.

    Raises:
        ValueError: parameters or entries that there are none of, all in one message.
    """
    problems: list[str] = []
    values: dict[str, Value] = {}
    for name, value in raw.items():
        if name not in TABLE:
            problems.append(f"unknown parameter {name}")
            continue
        entries, usual = AXES.get(TABLE[name].axis, ()), TABLE[name].default
        if isinstance(value, Mapping):
            problems += [f"{name} has no {entry!r}" for entry in value if entry not in entries]
            default = usual if isinstance(usual, tuple) else ()
            whole = dict(zip(entries, default, strict=True)) | dict(value)
            values[name] = tuple(float(whole[entry]) for entry in entries)
        elif isinstance(value, list):
            values[name] = tuple(value)
        else:
            values[name] = (float(value),) * len(entries) if entries else float(value)
    if problems:
        raise ValueError("; ".join(problems))
    return values


def by_entry(name: str, value: float | tuple[float, ...]) -> float | dict[str, float]:
    """A value as files state it: a number, or entries by name."""
    if not isinstance(value, tuple):
        return value
    return dict(zip(AXES[TABLE[name].axis], value, strict=True))


class Rank:
    """View of the parameters that broadcasts against tensors of ``1 + trailing`` dimensions.

    ``trailing=1`` suits ``[B, D]``, ``trailing=2`` suits ``[B, D, K]``: a scalar parameter
    becomes ``[b, 1]`` or ``[b, 1, 1]``, a parameter with an axis ``[b, n]`` or ``[b, 1, n]``.
    """

    def __init__(self, values: Mapping[str, Tensor], trailing: int) -> None:
        for name, value in values.items():
            axis = value.shape[1:]
            ones = (1,) * (trailing - len(axis))
            if trailing >= len(axis):
                setattr(self, name, value.reshape(value.shape[0], *ones, *axis))

    def __getattr__(self, name: str) -> Tensor:
        raise AttributeError(f"no model parameter is called {name!r}")


class Parameters:
    """Values of all parameters, each ``[b]`` or ``[b, n]`` with b = 1 or the batch size.

    ``b``, ``bd`` and ``bdk`` are views that broadcast against ``[B]``, ``[B, D]`` and
    ``[B, D, K]`` tensors. ``one``, ``year`` (months) and ``today`` (levers by name) are plain
    numbers as tensors: torch converts a Python number at every use, which takes as long as the
    arithmetic of a small tensor.
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        self.values = dict(values)
        self.b = Rank(self.values, 0)
        self.bd = Rank(self.values, 1)
        self.bdk = Rank(self.values, 2)
        like = next(iter(self.values.values()))
        self.one = like.new_tensor(1)
        self.year = like.new_tensor(12)
        today = like.new_tensor([lever.default for lever in LEVERS.values()])
        self.today = dict(zip(LEVERS, today.unbind(), strict=True))

    @classmethod
    def default(
        cls,
        overrides: Mapping[str, Value] | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Parameters:
        """Defaults of the table with ``overrides``.

        Raises:
            ValueError: an unknown name, a wrong length, or a value outside its range
                (all problems in one message).
        """
        values: dict[str, Tensor] = {}
        for parameter in TABLE.values():
            raw = torch.as_tensor(parameter.default, dtype=dtype, device=device)
            values[parameter.name] = raw[None]
        return cls(values).replace(overrides or {})

    def replace(self, overrides: Mapping[str, Value]) -> Parameters:
        """Copy with some values changed; a value is a scalar, ``[n]``, ``[b]`` or ``[b, n]``."""
        problems: list[str] = []
        values = dict(self.values)
        for name, value in overrides.items():
            known = TABLE.get(name)
            if known is None:
                problems.append(f"parameter {name!r} is unknown")
                continue
            old = values[name]
            new = torch.as_tensor(value, dtype=old.dtype, device=old.device)
            if new.dim() == old.dim() - 1:
                new = new[None]
            if new.dim() != old.dim() or new.shape[1:] != old.shape[1:]:
                problems.append(
                    f"parameter {name!r}: shape {tuple(new.shape)}, expected {tuple(old.shape)}"
                )
                continue
            problems += known.problems(new)
            values[name] = new
        if problems:
            raise ValueError("; ".join(problems))
        return Parameters(values)

    def to(self, dtype: torch.dtype, device: torch.device | str | None = None) -> Parameters:
        """Copy in another dtype or on another device."""
        return Parameters({n: v.to(device=device, dtype=dtype) for n, v in self.values.items()})

    def rows(self, index: Tensor) -> Parameters:
        """Parameters of the chosen rows (shared values stay shared)."""
        return Parameters({n: v if v.shape[0] == 1 else v[index] for n, v in self.values.items()})


__all__ = ["TABLE", "Parameter", "Parameters", "Rank", "Value", "by_entry", "parse_values"]
