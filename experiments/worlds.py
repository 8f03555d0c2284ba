"""The city that a command works on, and the policy that its ``--set`` options ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.levers import baseline_policy
from envs.city.model import City
from experiments.cities import PRESETS, city_fault
from experiments.errors import InputError


@dataclass(frozen=True)
class World:
    """A calibrated city of one row or more, with what people call its parts.

    codes: of its districts. title: for headings. currency: in which its money is shown.
    """

    city: City
    codes: tuple[str, ...]
    title: str
    currency: str

    def policy(self, settings: Sequence[str], rows: int = 1) -> dict[str, Tensor]:
        """Today's policy with settings like ``toll=0.002`` or ``staff[education]=1.2``.

        Returns:
            Lever -> physical settings ``[rows, *lever shape]``.

        Raises:
            InputError: naming every bad setting.
        """
        from experiments.simulate import parse_settings

        requested = parse_settings(settings, self.codes)
        like = self.city.start.planning.home_rent
        policy = baseline_policy(rows, self.city.districts, like.dtype)
        for name, setting in requested.items():
            policy[name] = setting.to(like).expand(rows, *setting.shape).clone()
        return policy


def load_world(city: str, districts: int | None = None, seed: int = 0) -> World:
    """The city by name or folder, with its neutral prior.

    Args:
        districts, seed: of a synthetic city (districts: as its preset says).

    Raises:
        InputError: there is no such city, or its package is broken.
    """
    if fault := city_fault(city):
        raise InputError(f"city: {fault}")
    from envs import presets
    from envs.loading import load_city

    torch.set_num_threads(1)
    if city in PRESETS:
        built = presets.cities(city, [seed], districts)
        codes = tuple(f"d{index}" for index in range(built.districts))
        return World(built, codes, f"{city} city of {built.districts} districts", "$")
    loaded = load_city(city)
    return World(loaded.city, tuple(loaded.codes), loaded.name, loaded.currency or "$")
