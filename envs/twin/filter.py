"""Ensemble square-root filters: the update of a forecast ensemble by observations.

Every function is pure, works in float64 and accepts leading batch dimensions `...` (independent
experiments), so a filter can be tested on many seeds at once. N is the number of members, X of
states, Y of observations. A NaN in `observed` means missing: it carries no weight, which equals
dropping it. `predicted` holds the members' own values of the observed quantities.

Order of one cycle: `innovation_statistics` on the forecast, `adapted_inflation` if wanted, then
`etkf` or `letkf`, then `relaxed_to_prior_spread` if wanted.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

MIYOSHI_SD = 0.04
"""Default sd of the prior of the variance inflation at each cycle (Miyoshi 2011, section 3)."""


@dataclass(frozen=True)
class Innovations:
    """How far the observations fell from a forecast, against what the ensemble expected.

    All tensors have the batch shape [...]; `count` is the number of observations present.
    """

    count: Tensor
    normalised: Tensor  # d' (H P H' + R)^-1 d: chi-square with `count` degrees if all is right
    rmse: Tensor  # root mean square innovation, each in units of its observation error
    spread: Tensor  # root mean expected square innovation, diag(H P H' + R), in the same units
    bias: Tensor  # mean innovation, in the same units

    @property
    def spread_to_rmse(self) -> Tensor:
        """Expected over realised size of the innovations [...]: 1 when the spread is right."""
        return self.spread / self.rmse


def etkf(
    ensemble: Tensor,
    predicted: Tensor,
    observed: Tensor,
    variance: Tensor,
    inflation: float | Tensor = 1.0,
    rotation: Generator | Tensor | None = None,
) -> Tensor:
    """Ensemble transform Kalman filter: analysis ensemble [..., N, X], float64.

    `ensemble` [..., N, X], `predicted` [..., N, Y], `observed` [..., Y] (NaN = missing) and
    `variance` [..., Y] of the observation errors (independent, positive). `inflation` multiplies
    the forecast anomalies (a number, or [...]). `rotation` is a generator that draws one
    mean-preserving random rotation of the analysis anomalies, or the rotations themselves
    [..., N, N]; None for none. The transform is symmetric, so the analysis mean is exact:
    Bishop et al. 2001; Hunt et al. 2007, equations 20-24; Sakov and Oke 2008.
    """
    _check_shapes(ensemble, predicted, observed, variance)
    mean, anomalies = _moments(ensemble, inflation)
    scaled, innovation = _normalised(predicted, observed, variance, inflation)
    transform, weights = _transform(scaled, innovation)
    turn = _rotation(rotation, ensemble)
    turned = transform if turn is None else turn @ transform
    return mean + (weights.unsqueeze(-2) + turned) @ anomalies


def letkf(
    ensemble: Tensor,
    predicted: Tensor,
    observed: Tensor,
    variance: Tensor,
    weights: Tensor,
    inflation: float | Tensor = 1.0,
    rotation: Generator | Tensor | None = None,
) -> Tensor:
    """Local ensemble transform Kalman filter: analysis ensemble [..., N, B, P], float64.

    `ensemble` [..., N, B, P] holds B blocks of P states (a block is a district; a city-wide block
    may be one more). `weights` [B, Y] in [0, 1] is the taper of each observation for each block
    (`envs.twin.localisation.observation_weights`); weights of 1 everywhere give `etkf`. The other
    arguments are those of `etkf`; all blocks share one rotation. Source: Hunt et al. 2007.
    """
    blocks = ensemble.transpose(-2, -3)  # [..., B, N, P]
    _check_shapes(blocks, predicted.unsqueeze(-3), observed.unsqueeze(-2), variance.unsqueeze(-2))
    if weights.shape != (blocks.shape[-3], observed.shape[-1]):
        raise ValueError(
            f"weights must be [blocks, observations] = [{blocks.shape[-3]}, "
            f"{observed.shape[-1]}], got {list(weights.shape)}"
        )
    block_inflation = torch.as_tensor(inflation, dtype=torch.float64).unsqueeze(-1)
    mean, anomalies = _moments(blocks, block_inflation)
    scaled, innovation = _normalised(predicted, observed, variance, inflation)
    root = weights.to(torch.float64).sqrt()
    local = scaled.unsqueeze(-3) * root.unsqueeze(-2)  # [..., B, N, Y]
    transform, gain = _transform(local, innovation.unsqueeze(-2) * root)
    turn = _rotation(rotation, ensemble[..., 0, :])
    turned = transform if turn is None else turn.unsqueeze(-3) @ transform
    return (mean + (gain.unsqueeze(-2) + turned) @ anomalies).transpose(-2, -3)


def innovation_statistics(
    predicted: Tensor, observed: Tensor, variance: Tensor, inflation: float | Tensor = 1.0
) -> Innovations:
    """Statistics of the innovations of a forecast, before it is updated: see `Innovations`.

    Arguments as in `etkf`. With nothing observed `count` is 0 and the ratios are NaN.
    """
    scaled, innovation = _normalised(predicted, observed, variance, inflation)
    count = torch.isfinite(observed).sum(-1).to(torch.float64)
    # (S'S + I)^-1 by the Woodbury identity, in member space: d'd - |(I + SS')^-1/2 S d|^2
    eye = torch.eye(scaled.shape[-2], dtype=torch.float64, device=scaled.device)
    projected = (scaled @ innovation.unsqueeze(-1)).squeeze(-1)
    solved = torch.linalg.solve(eye + scaled @ scaled.mT, projected)
    squares = innovation.square().sum(-1)
    return Innovations(
        count=count,
        normalised=squares - (projected * solved).sum(-1),
        rmse=(squares / count).sqrt(),
        spread=((scaled.square().sum((-1, -2)) + count) / count).sqrt(),
        bias=innovation.sum(-1) / count,
    )


def adapted_inflation(
    inflation: float | Tensor,
    predicted: Tensor,
    observed: Tensor,
    variance: Tensor,
    prior_sd: float = MIYOSHI_SD,
    bounds: tuple[float, float] = (1.0, 2.0),
) -> Tensor:
    """Inflation [...] of the anomalies, moved from its last value towards what is observed.

    Kalman update of the variance inflation `inflation**2` by the innovations of one cycle, whose
    prior sd `prior_sd` is the same at each cycle: Miyoshi 2011, Mon. Wea. Rev. 139, section 3,
    after Li et al. 2009. `predicted` is not yet inflated; a larger `prior_sd` adapts faster (short
    yearly records need it). The result stays inside `bounds`; with nothing observed or no spread
    it stays as it was. Hand it to `etkf` or `letkf` in the same cycle.
    """
    scaled, innovation = _normalised(predicted, observed, variance, 1.0)
    count = torch.isfinite(observed).sum(-1).to(torch.float64)
    previous = torch.as_tensor(inflation, dtype=torch.float64).square().expand_as(count)
    spread = scaled.square().sum((-1, -2))  # trace(H P H' R^-1)
    seen = (innovation.square().sum(-1) - count) / spread
    seen_variance = 2 / count * ((previous * spread + count) / spread).square()
    gain = prior_sd**2 / (prior_sd**2 + seen_variance)
    moved = previous + gain * (seen - previous)
    kept = torch.where(spread > 0, moved, previous)
    return kept.clamp(bounds[0] ** 2, bounds[1] ** 2).sqrt()


def relaxed_to_prior_spread(analysis: Tensor, forecast: Tensor, weight: float) -> Tensor:
    """Analysis [..., N, X] with its sd moved towards the forecast's by `weight` in [0, 1].

    The mean stays. Source: Whitaker and Hamill 2012, Mon. Wea. Rev. 140, equation 2.
    """
    mean = analysis.mean(-2, keepdim=True)
    after, before = analysis.std(-2, keepdim=True), forecast.std(-2, keepdim=True)
    stretch = torch.where(after > 0, 1 + weight * (before - after) / after, torch.ones_like(after))
    return mean + (analysis - mean) * stretch


def random_rotation(members: int, generator: Generator) -> Tensor:
    """Random orthogonal matrix [N, N] that leaves the vector of ones, hence the mean, in place.

    Uniform over such rotations: a Haar-distributed rotation of the complement of the ones.
    Source: Sakov and Oke 2008, Mon. Wea. Rev. 136, appendix.
    """
    device = generator.device
    seedling = torch.eye(members, dtype=torch.float64, device=device)
    seedling[:, 0] = 1.0
    basis = torch.linalg.qr(seedling)[0][:, 1:]  # [N, N - 1], orthogonal to the ones
    draw = torch.randn(
        members - 1, members - 1, dtype=torch.float64, device=device, generator=generator
    )
    inner, upper = torch.linalg.qr(draw)
    inner = inner * torch.sign(torch.diagonal(upper))
    rotation: Tensor = basis @ inner @ basis.mT + 1.0 / members
    return rotation


def _check_shapes(ensemble: Tensor, predicted: Tensor, observed: Tensor, variance: Tensor) -> None:
    members, seen = predicted.shape[-2:]
    if ensemble.shape[-2] != members:
        raise ValueError(
            f"ensemble has {ensemble.shape[-2]} members, predicted has {members}: they must agree"
        )
    if members < 2:
        raise ValueError("an ensemble filter needs at least 2 members")
    if observed.shape[-1] != seen or variance.shape[-1] != seen:
        raise ValueError(
            f"predicted has {seen} observations, observed {observed.shape[-1]}, "
            f"variance {variance.shape[-1]}: they must agree"
        )


def _moments(ensemble: Tensor, inflation: float | Tensor) -> tuple[Tensor, Tensor]:
    """Mean [..., 1, X] and inflated anomalies [..., N, X], float64."""
    states = ensemble.to(torch.float64)
    mean = states.mean(-2, keepdim=True)
    return mean, (states - mean) * _factor(inflation)


def _normalised(
    predicted: Tensor, observed: Tensor, variance: Tensor, inflation: float | Tensor
) -> tuple[Tensor, Tensor]:
    """Predicted anomalies over sqrt(N - 1) [..., N, Y] and innovation [..., Y].

    Both are in units of the observation error and zero where the observation is missing.
    """
    mean, anomalies = _moments(predicted, inflation)
    there = torch.isfinite(observed)
    error = torch.where(there, variance, torch.ones_like(variance)).to(torch.float64).sqrt()
    gap = torch.where(there, observed.to(torch.float64) - mean.squeeze(-2), 0.0)
    scale = torch.where(there, 1 / error, 0.0) / (predicted.shape[-2] - 1) ** 0.5
    return anomalies * scale.unsqueeze(-2), gap / error


def _transform(scaled: Tensor, innovation: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric square root (I + S S')^-1/2 [..., N, N] and weights of the mean [..., N]."""
    members = scaled.shape[-2]
    values, vectors = torch.linalg.eigh(scaled @ scaled.mT)
    root = (1 + values.clamp(min=0)).rsqrt()
    transform = (vectors * root.unsqueeze(-2)) @ vectors.mT
    pulled = transform @ (transform @ (scaled @ innovation.unsqueeze(-1)))
    return transform, pulled.squeeze(-1) / (members - 1) ** 0.5


def _rotation(rotation: Generator | Tensor | None, ensemble: Tensor) -> Tensor | None:
    if isinstance(rotation, Generator):
        return random_rotation(ensemble.shape[-2], rotation)
    return rotation


def _factor(inflation: float | Tensor) -> Tensor:
    """Inflation shaped to multiply anomalies [..., N, X]."""
    return torch.as_tensor(inflation, dtype=torch.float64).unsqueeze(-1).unsqueeze(-1)
