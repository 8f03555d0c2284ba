"""Synthetic cities from a seed: a centre, a ring, sub-centres and quenched noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from envs.city.kinds import SECTOR_TABLE
from envs.city.panel import Panel
from envs.city.parameter_table import TABLE
from envs.city.sizes import TYPES

#: Residents of a district on average, unless said otherwise.
PEOPLE_PER_DISTRICT = 30_000.0
_SECTOR_SHARES = np.atleast_1d(TABLE["sector_jobs"].default)


def synthetic_panel(
    seeds: Sequence[int],
    districts: int,
    dtype: torch.dtype = torch.float64,
    people: float | Sequence[float] = PEOPLE_PER_DISTRICT,
    spread: float | Sequence[float] = 1.0,
) -> Panel:
    """First-year panels of synthetic cities, one row a seed.

    Districts lie on a jittered sunflower disc, so that any number of them fills a round
    city. Density falls with the distance to the centre, jobs are more central than homes,
    two sub-centres and log-normal noise break the symmetry, richer types prefer a random
    direction, and knowledge jobs the centre.

    Args:
        people: residents of a district on average, for all cities or one number a seed; jobs
            follow.
        spread: distances over the usual (28 km2 a district), for all cities or one a seed.

    Raises:
        ValueError: fewer than three districts, or sizes that are not positive.
    """
    if districts < 3:
        raise ValueError(f"districts={districts}: a synthetic city needs at least 3")
    size = _column(people, len(seeds), "people", dtype) / PEOPLE_PER_DISTRICT
    length = _column(spread, len(seeds), "spread", dtype)
    rows = [
        _one(np.random.default_rng(np.random.SeedSequence([seed, districts])), districts)
        for seed in seeds
    ]
    xy, land, homes, jobs, sectors = (
        torch.as_tensor(np.stack(column), dtype=dtype) for column in zip(*rows, strict=True)
    )
    return Panel(
        xy=xy * length.unsqueeze(-1),
        land=land * length**2,
        people=homes * size.unsqueeze(-1),
        jobs=jobs * size,
        sectors=sectors,
    )


def _column(values: float | Sequence[float], rows: int, name: str, dtype: torch.dtype) -> Tensor:
    """One positive number a row ``[rows, 1]``."""
    column = torch.as_tensor(values, dtype=dtype).expand(rows).unsqueeze(-1)
    if not bool((column > 0).all()):
        raise ValueError(f"{name}={values}: expected positive numbers")
    return column


def _one(rng: np.random.Generator, districts: int) -> tuple[np.ndarray, ...]:
    """Arrays xy [D, 2], land [D], people [D, K], jobs [D], sectors [D, S] of one city."""
    index = np.arange(districts) + 0.5
    radius = 3.0 * np.sqrt(index)
    angle = index * np.pi * (3 - np.sqrt(5)) + rng.uniform(0, 2 * np.pi)
    xy = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    xy += rng.normal(0, 0.6, (districts, 2))
    land = 9 * np.pi * np.exp(rng.normal(0, 0.25, districts)) * (0.6 + 0.8 * radius / radius.max())

    relative = radius / radius.max()
    homes = np.exp(-0.6 * relative + rng.normal(0, 0.25, districts))
    homes *= districts * PEOPLE_PER_DISTRICT / homes.sum()
    jobs = np.exp(-1.6 * relative + rng.normal(0, 0.3, districts))
    jobs[rng.choice(districts, 2, replace=False)] *= 1.5
    jobs *= 0.475 * homes.sum() / jobs.sum()

    direction = rng.uniform(0, 2 * np.pi)
    tilt = 0.25 * np.cos(angle - direction) * relative + rng.normal(0, 0.08, districts)
    level = np.arange(TYPES) - (TYPES - 1) / 2
    logits = -0.25 * np.abs(level)[None] + tilt[:, None] * level[None]
    mix = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)

    weights = np.stack(
        [
            np.full(districts, share)
            if sector.outward is None
            else share * np.exp(sector.outward * (relative - 0.5) + rng.normal(0, 0.2, districts))
            for sector, share in zip(SECTOR_TABLE, _SECTOR_SHARES, strict=True)
        ],
        1,
    )
    sectors = weights / weights.sum(1, keepdims=True)
    return xy, land, homes[:, None] * mix, jobs, sectors


def type_mix(tilt: Tensor) -> Tensor:
    """Shares of the household types ``[..., K]`` for a tilt ``[...]`` towards high incomes."""
    level = torch.arange(TYPES, dtype=tilt.dtype) - (TYPES - 1) / 2
    return torch.softmax(-0.25 * level.abs() + tilt.unsqueeze(-1) * level, -1)
