"""The neutral prior: no lever is a free lunch (MODEL section 22.4).

Parameters that the literature leaves open are solved, city by city, so that at the
baseline every spending lever and every tax has one marginal value of public funds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.city import welfare
from envs.city.model import City
from envs.city.parameters import Parameters
from envs.city.valuation import CELLS, MONTHS, Margins, margins

TOLERANCE = 0.01
_LARGEST_STEP = 4.0
#: Perturbation of an unknown, in units of its natural size.
_NUDGE = 0.02
#: A step that leaves more than this share of the residuals asks for a new Jacobian.
_POOR = 0.25


@dataclass(frozen=True)
class Unknown:
    """A solved parameter: its lever, its natural size (the Newton step's unit), its range in
    the literature as text."""

    parameter: str
    lever: str
    size: float
    published: str
    index: int | None = None


def _by_cell(parameter: str, lever: str, size: float, published: str) -> list[Unknown]:
    """One unknown for each cell of a lever that is valued cell by cell."""
    return [
        Unknown(parameter, f"{lever}[{cell}]", size, published, index)
        for index, cell in enumerate(CELLS[lever])
    ]


UNKNOWNS: tuple[Unknown, ...] = (
    *_by_cell("om_service", "staff", 0.02, "0.02 to 0.1"),
    *_by_cell("w_facility", "facilities", 0.1, "0 to 1"),
    *_by_cell("om_fee", "fee", 0.05, "none"),
    *_by_cell("el_business", "business_tax", 0.1, "0.1 to 0.5"),
    Unknown("g_road", "road", 0.03, "0.08 to 0.2"),
    Unknown("cond_speed", "maintenance", 0.1, "0 to 0.5"),
    Unknown("om_transit", "transit", 0.02, "none"),
    Unknown("om_fare", "fare", 0.5, "none"),
    Unknown("el_research", "research", 0.02, "0.02 to 0.12"),
    Unknown("el_training", "training", 0.02, "none"),
    Unknown("el_talent", "talent", 0.01, "none"),
    Unknown("el_renewables", "renewables", 0.1, "none"),
    Unknown("el_retrofit", "retrofit", 0.1, "none"),
    Unknown("grant_earnings", "income_tax", 0.2, "0 to 1"),
    Unknown("own_rents", "property_tax", 0.1, "0 to 1"),
    Unknown("compliance", "audit", 0.02, "0 to 0.1"),
    Unknown("om_far", "far", 0.03, "0.01 to 0.07"),
    Unknown("om_release", "release", 0.1, "none"),
    Unknown("om_mix", "mix", 0.03, "none"),
    Unknown("grant_per_head", "", 0.3, "1.03 to 1.18"),
)

Solution = dict[str, float | tuple[float, ...]]


@dataclass(frozen=True)
class Neutral:
    """Solved values, the residual of every lever at them, and the marginal values behind."""

    values: Solution
    residuals: dict[str, float]
    margins: Margins
    iterations: int


def pack(p: Parameters) -> Tensor:
    """Vector ``[U]`` of the unknowns of a one-row parameter set."""
    cells = []
    for unknown in UNKNOWNS:
        value = p.values[unknown.parameter][0]
        cells.append(value if unknown.index is None else value[unknown.index])
    return torch.stack(cells)


def unpack(p: Parameters, vectors: Tensor) -> Parameters:
    """Parameters with unknowns ``[rows, U]``, one row each."""
    changed: dict[str, Tensor] = {}
    for column, unknown in enumerate(UNKNOWNS):
        if unknown.index is None:
            changed[unknown.parameter] = vectors[:, column]
        else:
            shape = (vectors.shape[0], *p.values[unknown.parameter].shape[1:])
            old = changed.get(unknown.parameter)
            value = p.values[unknown.parameter].expand(shape).clone() if old is None else old
            value[:, unknown.index] = vectors[:, column]
            changed[unknown.parameter] = value
    return p.replace(changed)


def residuals(found: Margins, p: Parameters) -> Tensor:
    """Residual of every unknown's equation ``[rows, U]``."""
    columns = [
        found.residual(u.lever, p.b.cost_of_funds) if u.lever else found.funds / p.b.grant_value - 1
        for u in UNKNOWNS
    ]
    return torch.stack(columns, -1)


def solve(
    city: City,
    months: int = MONTHS,
    iterations: int = 8,
    progress: Callable[[int, float], None] | None = None,
) -> Neutral:
    """Newton's method on the neutrality residuals of a one-row city.

    The Jacobian is by finite differences whose perturbations are rows of the batch; it is kept,
    with Broyden's rank-one update, as long as a step takes the residuals to a quarter.
    """
    x = pack(city.parameters)
    size = torch.tensor([u.size for u in UNKNOWNS], dtype=x.dtype)
    limits = _limits(x)
    around = torch.cat([torch.zeros_like(x)[None], torch.diag(_NUDGE * size)])
    jacobian, last, moved = None, torch.full_like(x, torch.inf), torch.zeros_like(x)
    for iteration in range(1, iterations + 1):
        found, gaps = _evaluate(city, x[None] if jacobian is not None else x[None] + around, months)
        gap = gaps[0]
        worst = float(gap.abs().max())
        if progress:
            progress(iteration, worst)
        if worst < TOLERANCE:
            break
        if jacobian is not None and worst > _POOR * float(last.abs().max()):
            found, gaps = _evaluate(city, x[None] + around, months)
            jacobian = None
        if jacobian is None:
            jacobian = ((gaps[1:] - gap) / _NUDGE).T
        else:
            surprise = gap - last - jacobian @ moved
            jacobian = jacobian + torch.outer(surprise, moved) / moved.square().sum()
        step = torch.linalg.lstsq(jacobian, -gap[:, None]).solution[:, 0]
        step = step.clamp(-_LARGEST_STEP, _LARGEST_STEP)
        ahead = torch.minimum(torch.maximum(x + step * size, limits[0]), limits[1])
        x, moved, last = ahead, (ahead - x) / size, gap
    values: dict[str, float | tuple[float, ...]] = {}
    final = unpack(city.parameters, x[None])
    for name in dict.fromkeys(u.parameter for u in UNKNOWNS):
        value = final.values[name][0]
        values[name] = float(value) if value.dim() == 0 else tuple(value.tolist())
    table = {u.lever or "grant": float(gaps[0, i]) for i, u in enumerate(UNKNOWNS)}
    return Neutral(values, table, found, iteration)


def _limits(x: Tensor) -> Tensor:
    """Hard limits ``[2, U]`` that keep the model defined; published ranges do not clip."""
    low = torch.full_like(x, -torch.inf)
    high = torch.full_like(x, torch.inf)
    for i, unknown in enumerate(UNKNOWNS):
        if unknown.parameter == "w_facility":
            low[i], high[i] = 0.001, 0.999
        if unknown.parameter == "cond_speed":
            high[i] = 0.9
    return torch.stack([low, high])


def _evaluate(city: City, points: Tensor, months: int) -> tuple[Margins, Tensor]:
    """Margins and residuals with unknowns ``points`` ``[rows, U]``."""
    tried = replace(city, parameters=unpack(city.parameters, points))
    found = margins(tried, welfare.reference(tried), points.shape[0], months)
    return found, residuals(found, tried.parameters)
