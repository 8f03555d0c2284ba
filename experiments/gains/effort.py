"""How hard plans are searched: settings of `configs/gains`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import yaml

import configs
from agents.schema import Between, Fraction, OneOf, read
from envs.city.dynamics import PRESETS

EFFORTS = ("default", "quick")


@dataclass(frozen=True)
class Effort:
    """How hard plans are searched; the meaning of each setting stands in `configs/gains`."""

    preset: Annotated[str, OneOf(tuple(PRESETS))]
    lessons: Annotated[int, Between(1, 100)]
    batch: Annotated[int, Between(1, 1000)]
    starts: Annotated[int, Between(1, 100)]
    spread: Fraction
    years: Annotated[int, Between(1, 100)]
    constant: Annotated[int, Between(1, 10_000)]
    varied: Annotated[int, Between(1, 10_000)]
    rate: Annotated[float, Between(1e-6, 1.0)]
    gain_rate: Annotated[float, Between(1e-6, 1.0)]
    tail: Annotated[int, Between(1, 100)]
    renew: Annotated[int, Between(1, 10_000)]
    aversion: Annotated[float, Between(0.0, 20.0)]
    information: Fraction

    @property
    def work(self) -> int:
        """Gradient steps in all."""
        return self.constant + self.varied


def effort(name: str) -> Effort:
    """The settings of `configs/gains/<name>.yaml`."""
    text = (configs.root() / "gains" / f"{name}.yaml").read_text(encoding="utf-8")
    return read(Effort, yaml.safe_load(text), f"gains {name}")
