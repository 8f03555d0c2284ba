"""Spatial association: is a quantity high where its neighbours are high?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moran:
    """Moran's I of one quantity, each ``[B]``.

    index: the statistic; expected: ``-1/(n-1)``, its mean over all ways to assign the values
    to the places; z: distance from that mean in standard deviations of those assignments.
    """

    index: Tensor
    expected: Tensor
    z: Tensor


def spatial_weights(xy: Tensor) -> Tensor:
    """Row-standardised inverse squared straight-line distance ``[b, D, D]``, zero within.

    Districts are points without borders here, so that contiguity is not defined; the inverse
    square leaves most weight with the nearest neighbours and has no parameter.

    Args:
        xy: ``[b, D, 2]`` km.
    """
    squared = torch.cdist(xy, xy) ** 2
    eye = torch.eye(xy.shape[1], dtype=xy.dtype, device=xy.device)
    weight = (1 - eye) / (squared + eye)
    return weight / weight.sum(-1, keepdim=True)


def moran(values: Tensor, weights: Tensor) -> Moran:
    """Moran's I (1950) with the variance under randomisation of Cliff & Ord (1981).

    Args:
        values: ``[B, D]``; a constant has no defined index and gives NaN.
        weights: ``[b, D, D]``, zero on the diagonal.

    Raises:
        ValueError: fewer than four places, for which the variance is not defined.
    """
    n = values.shape[-1]
    if n < 4:
        raise ValueError(f"{n} places: Moran's I needs at least four")
    total = weights.sum((-2, -1))
    both = (weights + weights.transpose(-1, -2)) ** 2
    pairs = both.sum((-2, -1)) / 2
    margins = ((weights.sum(-1) + weights.sum(-2)) ** 2).sum(-1)

    gap = values - values.mean(-1, keepdim=True)
    second, fourth = (gap**2).mean(-1), (gap**4).mean(-1)
    index = (gap * torch.matmul(weights, gap.unsqueeze(-1)).squeeze(-1)).sum(-1)
    index = index / (total * second)
    kurtosis = fourth / second**2
    square = n * ((n**2 - 3 * n + 3) * pairs - n * margins + 3 * total**2)
    square = square - kurtosis * ((n**2 - n) * pairs - 2 * n * margins + 6 * total**2)
    square = square / ((n - 1) * (n - 2) * (n - 3) * total**2)
    expected = torch.full_like(index, -1 / (n - 1))
    return Moran(index, expected, (index - expected) / torch.sqrt(square - expected**2))
