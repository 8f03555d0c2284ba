"""Running mean and variance of what networks are fed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

#: Standardised inputs are clipped to plus or minus this bound.
CLIP = 10.0
#: Least variance, in squared notable changes: what hardly ever varies is not blown up (assumed).
LEAST_VARIANCE = 1e-4


class Moments:
    """Pooled over all rows seen so far (Chan, Golub and LeVeque 1979); before, 0 and 1.

    Kept in float64; `active=False` standardises nothing and learns nothing.
    """

    def __init__(self, shape: tuple[int, ...], active: bool, device: torch.device) -> None:
        self.active = active
        self.mean = torch.zeros(shape, dtype=torch.float64, device=device)
        self.variance = torch.ones(shape, dtype=torch.float64, device=device)
        self.count = torch.zeros((), dtype=torch.float64, device=device)
        self._centre, self._deviation = self.mean.float(), self.variance.float()

    def update(self, rows: Tensor) -> None:
        """Count rows `[..., *shape]`."""
        if not self.active:
            return
        flat = rows.reshape(-1, *self.mean.shape).to(torch.float64)
        many = flat.shape[0]
        variance, mean = torch.var_mean(flat, 0, correction=0)
        total = self.count + many
        gap = mean - self.mean
        squares = self.variance * self.count + variance * many
        self.variance = (squares + gap.square() * self.count * many / total) / total
        self.mean = self.mean + gap * many / total
        self.count = total
        self._cache()

    def bounded_variance(self) -> Tensor:
        """[*shape], not below `LEAST_VARIANCE`."""
        return self.variance.clamp_min(LEAST_VARIANCE)

    def __call__(self, rows: Tensor) -> Tensor:
        """Standardised rows `[..., *shape]` in float32, clipped."""
        if not self.active:
            return rows
        return ((rows - self._centre) / self._deviation).clamp(-CLIP, CLIP)

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"mean": self.mean, "variance": self.variance, "count": self.count}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from `tensors`."""
        for name in ("mean", "variance", "count"):
            setattr(self, name, tensors[name].to(self.mean.device))
        self._cache()

    def _cache(self) -> None:
        self._centre = self.mean.float()
        self._deviation = (self.bounded_variance() + 1e-8).sqrt().float()
