"""Lorenz-96 twin experiment: the filter on a problem whose answer is published.

The set-up of Sakov and Oke 2008 (Mon. Wea. Rev. 136, 1042-1053): 40 variables on a ring, forcing
8, classical Runge-Kutta steps of 0.05, all variables observed after each step with error variance
1. A truth is simulated, observed with noise, and filtered; the score is the root mean square error
of the analysis mean. Reference values: TWIN.md section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Generator, Tensor

from envs.twin import filter as ensemble_filter
from envs.twin.localisation import GAUSSIAN_EQUIVALENT, gaspari_cohn

VARIABLES = 40
FORCING = 8.0
STEP = 0.05
DIVERGED = 1.0
"""An analysis worse than the observation error itself (RMSE above 1) counts as diverged."""


@dataclass(frozen=True)
class Setting:
    """One filter setting and the RMSE published for it."""

    members: int
    inflation: float
    published: float
    localisation: float | None = None  # radius in grid points; None for the global filter


SETTINGS: dict[str, Setting] = {
    "etkf_28": Setting(members=28, inflation=1.02, published=0.18),
    "etkf_24": Setting(members=24, inflation=1.04, published=0.196),
    "letkf_7": Setting(members=7, inflation=1.04, published=0.22, localisation=4.0),
}


@dataclass(frozen=True)
class Outcome:
    """Result of one setting over seeds: each seed's mean analysis RMSE and spread [S]."""

    setting: Setting
    rmse: Tensor
    spread: Tensor

    @property
    def median(self) -> float:
        """Median RMSE over all seeds, the diverged ones included."""
        return float(median(torch.nan_to_num(self.rmse, nan=float("inf")).tolist()))

    @property
    def diverged(self) -> int:
        """Number of seeds that lost the truth."""
        return int((~(self.rmse <= DIVERGED)).sum())


def tendency(state: Tensor) -> Tensor:
    """Time derivative [..., 40] of Lorenz-96 (Lorenz 1996, equation 1)."""
    ahead, behind = state.roll(-1, -1), state.roll(1, -1)
    return (ahead - state.roll(2, -1)) * behind - state + FORCING


def step(state: Tensor) -> Tensor:
    """State [..., 40] after one classical Runge-Kutta step of 0.05."""
    k1 = tendency(state)
    k2 = tendency(state + STEP / 2 * k1)
    k3 = tendency(state + STEP / 2 * k2)
    k4 = tendency(state + STEP * k3)
    return state + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def run(setting: Setting, seeds: Sequence[int], cycles: int = 1000, burn_in: int = 400) -> Outcome:
    """Filter `cycles` observed steps after `burn_in` more, one independent twin a seed.

    The seeds run as one batch, but each owns its stream: its result depends on it alone.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    truth = FORCING + _normal(generators, VARIABLES)
    for _ in range(burn_in):
        truth = step(truth)
    ensemble = truth.unsqueeze(-2) + _normal(generators, setting.members, VARIABLES)
    weights = _ring_weights(setting.localisation)
    variance = torch.ones(VARIABLES, dtype=torch.float64)
    rmse = torch.zeros(len(generators), dtype=torch.float64)
    spread = torch.zeros_like(rmse)
    for cycle in range(burn_in + cycles):
        truth, ensemble = step(truth), step(ensemble)
        observed = truth + _normal(generators, VARIABLES)
        turn = torch.stack(
            [ensemble_filter.random_rotation(setting.members, g) for g in generators]
        )
        if weights is None:
            ensemble = ensemble_filter.etkf(
                ensemble, ensemble, observed, variance, setting.inflation, turn
            )
        else:
            ensemble = ensemble_filter.letkf(
                ensemble.unsqueeze(-1),
                ensemble,
                observed,
                variance,
                weights,
                setting.inflation,
                turn,
            ).squeeze(-1)
        if cycle >= burn_in:
            rmse += (ensemble.mean(-2) - truth).square().mean(-1).sqrt() / cycles
            spread += ensemble.var(-2).mean(-1).sqrt() / cycles
    return Outcome(setting, rmse, spread)


def _ring_weights(radius: float | None) -> Tensor | None:
    if radius is None:
        return None
    place = torch.arange(VARIABLES)
    gap = (place.unsqueeze(0) - place.unsqueeze(1)).abs()
    distance = torch.minimum(gap, VARIABLES - gap).to(torch.float64)
    return gaspari_cohn(distance, GAUSSIAN_EQUIVALENT * radius)


def _normal(generators: Sequence[Generator], *shape: int) -> Tensor:
    """Standard normal draws [seeds, *shape], float64, each row from its own generator."""
    return torch.stack(
        [torch.randn(*shape, dtype=torch.float64, generator=generator) for generator in generators]
    )
