"""Distance tapers that let an observation update only the districts near it.

A small ensemble sees spurious correlations between distant districts; the local filter
(`envs.twin.filter.letkf`) therefore weighs each observation by a taper of its distance to the
district being updated (observation-error localisation: Hunt, Kostelich and Szunyogh 2007,
Physica D 230, section 3).
"""

from __future__ import annotations

import torch
from torch import Tensor

CITY_WIDE = -1
"""District index of an observation that belongs to the whole city: never tapered."""

GAUSSIAN_EQUIVALENT = 1.82
"""Half-width of the Gaspari-Cohn taper, as a multiple of the radius of the Gaussian
exp(-(distance/radius)^2 / 2) it resembles: sqrt(10/3), rounded as is customary."""


def gaspari_cohn(distance: Tensor, half_width: float) -> Tensor:
    """Fifth-order piecewise rational taper: 1 at distance 0, 0 from twice the half-width on.

    `distance` is a tensor of any shape, in the unit of `half_width`; the result has its shape.
    Source: Gaspari and Cohn 1999, Q. J. R. Meteorol. Soc. 125, equation 4.10.
    Raises ValueError for a half-width that is not positive.
    """
    if half_width <= 0:
        raise ValueError(f"half_width must be positive, got {half_width}")
    r = distance.abs() / half_width
    near = 1 - 5 / 3 * r**2 + 5 / 8 * r**3 + r**4 / 2 - r**5 / 4
    outer = r.clamp(min=1.0)
    far = (
        4
        - 5 * outer
        + 5 / 3 * outer**2
        + 5 / 8 * outer**3
        - outer**4 / 2
        + outer**5 / 12
        - 2 / (3 * outer)
    )
    taper = torch.where(r <= 1, near, torch.where(r < 2, far, torch.zeros_like(r)))
    return taper.clamp(0.0, 1.0)


def observation_weights(distance: Tensor, district: Tensor, half_width: float) -> Tensor:
    """Weight [D, Y] in [0, 1] of each observation in the update of each district.

    `distance` [D, D] between districts; `district` [Y] (integers) is the district of each
    observation, or `CITY_WIDE`, which has weight 1 everywhere.
    """
    weights = gaspari_cohn(distance, half_width)[:, district.clamp(min=0)]
    return torch.where(district == CITY_WIDE, torch.ones_like(weights), weights)
