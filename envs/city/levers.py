"""The one table of levers: who holds them, shape, bounds, default, delay.

Spaces, delays, bounds, docs and the ledger of logged actions all read this table. Money
levers are in units of the default wage (4 k$ a month per efficiency unit) and scale with
the local wage; multipliers are relative to the calibrated first year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.sizes import DEPARTMENT_NAMES, PRIVATE_NAMES, SERVICE_NAMES, TYPE_NAMES

#: Axes of levers beside districts ("D"), with the names of their cells.
PARTS: dict[str, tuple[str, ...]] = {
    "S": PRIVATE_NAMES,
    "H": SERVICE_NAMES,
    "K": TYPE_NAMES,
    "G": DEPARTMENT_NAMES,
}
SHAPES: dict[str, tuple[str, ...]] = {
    "": (),
    "district": ("D",),
    "private": ("S",),
    "service": ("H",),
    "type": ("K",),
    "department": ("G",),
    "district,private": ("D", "S"),
    "district,service": ("D", "H"),
    "type,service": ("K", "H"),
}

#: Levers with cells that governors of the whole city set by one number.
UNIFORM = ("subsidy", "targeting")


@dataclass(frozen=True)
class Lever:
    """One instrument of a governor.

    Attributes:
        name: identifier; governor: group that holds it in ``city_v0``, or ``CITIZENS``.
        shape: key of ``SHAPES``; low, high, default: bounds and today's setting.
        unit: unit ("x baseline" for multipliers).
        delay: share of the gap to the requested setting that takes effect each month.
        money: the value scales with the local wage.
        budget: share of the city's spending at today's setting, where it is a line of the budget.
        base: what a unit is charged on or paid for, a key of ``valuation.BASES``; "" for a line of
            the budget that is spent as a whole, and where no marginal value is worked out.
        kind: "spending", "price", "regulation", "finance" or "participation".
        counter: what works against the lever, so that it is no free lunch.
        source: origin of bounds and delay.
    """

    name: str
    governor: str
    shape: str
    low: float
    high: float
    default: float
    unit: str
    delay: float
    kind: str
    counter: str
    money: bool = False
    budget: float = 0.0
    base: str = ""
    source: str = "assumed"

    @property
    def rate(self) -> float:
        """Largest requested change in a month: a twelfth of the range."""
        return (self.high - self.low) / 12

    @property
    def parts(self) -> tuple[str, ...]:
        """Cells that are set apart from one another; none where one setting serves all."""
        axes = [axis for axis in SHAPES[self.shape] if axis != "D"]
        return () if self.name in UNIFORM or not axes else PARTS[axes[-1]]

    @property
    def valued(self) -> bool:
        """Whether its marginal value is worked out (``envs.city.valuation``)."""
        return bool(self.budget or self.base)

    def size(self, districts: int) -> tuple[int, ...]:
        """Shape of the lever without the batch dimension."""
        return tuple(districts if a == "D" else len(PARTS[a]) for a in SHAPES[self.shape])

    def physical(self, raw: Tensor) -> Tensor:
        """Map a raw action in [-1, 1] to the lever's unit; 0 is today's setting.

        A lever whose default is a bound has one live half.
        """
        up = raw.clamp(0, 1) * (self.high - self.default)
        down = raw.clamp(-1, 0) * (self.default - self.low)
        return self.default + up + down


LEVERS: dict[str, Lever] = {
    lever.name: lever
    for lever in (
        Lever("far", "planning", "district", 0.5, 2.0, 1.0, "x baseline", 0.05, "regulation", "density disamenity", base="regulation"),
        Lever("release", "planning", "district", 0.0, 0.5, 0.0, "share of stock", 0.05, "regulation", "loss of open space", base="regulation"),
        Lever("mix", "planning", "district", 0.5, 1.5, 1.0, "x baseline", 0.05, "regulation", "disamenity of a tilted mix", base="regulation"),
        Lever("property_tax", "planning", "district", 0.0, 0.02, 0.008, "1/yr", 0.2, "price", "capitalised into prices; owners are partly residents", base="property"),
        Lever("debt_target", "planning", "", 0.0, 1.0, 0.0, "years of revenue", 0.02, "finance", "interest; repaid later"),
        Lever("budget_split", "planning", "department", 0.02, 3.0, 1.0, "x baseline", 1.0, "finance", "taken from the other departments (mode departments)"),
        Lever("business_tax", "industry", "private", 0.0, 0.40, 0.10, "share of returns", 0.2, "price", "establishments leave; evasion", base="profit"),
        Lever("income_tax", "industry", "", 0.0, 0.30, 0.05, "share of income", 0.2, "price", "migration, hours, evasion", base="income"),
        Lever("subsidy", "industry", "district,private", 0.0, 0.004, 0.0, "1/month", 0.2, "spending", "mimicry; capital supply slopes up", base="capital"),
        Lever("research", "industry", "", 0.0, 3.0, 1.0, "x baseline", 1.0, "spending", "diminishing returns", budget=0.03),
        Lever("training", "industry", "", 0.0, 3.0, 1.0, "x baseline", 1.0, "spending", "diminishing returns", budget=0.04),
        Lever("talent", "industry", "", 0.0, 3.0, 1.0, "x baseline", 1.0, "spending", "diminishing returns; other sectors lose hands, courted types crowd out others", budget=0.01),
        Lever("audit", "industry", "", 0.0, 0.3, 0.05, "probability", 1.0, "price", "compliance burden and cost", base="auditing"),
        Lever("staff", "services", "district,service", 0.3, 2.0, 1.0, "x baseline", 1.0, "spending", "public wages; queues saturate", budget=0.45, base="staff"),
        Lever("facilities", "services", "district,service", 0.0, 3.0, 1.0, "x baseline", 1.0, "spending", "operated by staff; diminishing returns", budget=0.08, base="facilities"),
        Lever("fee", "services", "service", 0.0, 0.05, 0.0, "k$/visit", 0.2, "price", "unmet needs", money=True, base="visits"),
        Lever("targeting", "services", "type,service", 0.5, 2.0, 1.0, "weight", 0.2, "regulation", "taken from the other types"),
        Lever("rebate", "services", "type", 0.0, 0.2, 0.0, "k$/month", 0.5, "finance", "financed by the treasury", money=True, base="residents"),
        Lever("road", "infrastructure", "district", 0.0, 5.0, 1.0, "x baseline", 1.0, "spending", "maintenance of what is built; induced demand", budget=0.06),
        Lever("maintenance", "infrastructure", "district", 0.0, 3.0, 1.0, "x baseline", 1.0, "spending", "diminishing returns", budget=0.06),
        Lever("transit", "infrastructure", "", 0.2, 3.0, 1.0, "x baseline", 1.0, "spending", "operating cost", budget=0.22),
        Lever("fare", "infrastructure", "", 0.0, 0.006, 0.002, "k$/trip", 0.2, "price", "trips priced out", money=True, base="trips"),
        Lever("toll", "infrastructure", "district", 0.0, 0.010, 0.0, "k$/entry", 0.2, "price", "jobs and shops beyond the cordon", money=True, base="entries"),
        Lever("renewables", "infrastructure", "", 0.0, 3.0, 1.0, "x baseline", 1.0, "spending", "diminishing returns", budget=0.002),
        Lever("retrofit", "infrastructure", "", 0.0, 3.0, 1.0, "x baseline", 1.0, "spending", "diminishing returns", budget=0.002),
        Lever("road_toll", "infrastructure", "district", 0.0, 0.0003, 0.0, "k$/km", 0.2, "price", "trips priced off the road; detours", money=True, base="driving"),
        Lever("coproduction", "citizens", "district,service", 0.0, 2.0, 0.0, "hours/resident/month", 1.0, "participation", "residents' own time; diminishing returns"),
    )
}

#: Lines of the budget: what levers spend, and what is spent whatever governors want.
FIXED = "fixed"
BUDGET_LINES: tuple[str, ...] = (*(name for name, x in LEVERS.items() if x.budget), FIXED)

GOVERNORS: tuple[str, ...] = ("planning", "industry", "services", "infrastructure")
#: Who holds what no governor can order: residents give their time.
CITIZENS = "citizens"
#: What governors can set.
GOVERNED: dict[str, Lever] = {name: x for name, x in LEVERS.items() if x.governor in GOVERNORS}

Policy = dict[str, Tensor]


def baseline_policy(
    num: int, districts: int, dtype: torch.dtype, device: torch.device | str = "cpu"
) -> Policy:
    """Today's setting of every lever: name -> ``[num, *lever shape]``."""
    return {
        name: torch.full(
            (num, *lever.size(districts)), lever.default, dtype=dtype, device=device
        )
        for name, lever in LEVERS.items()
    }


def delays(common: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Share ``[b]`` of a lever's gap that takes effect each month: its own, or one for all.

    Args:
        common: ``[b]`` delay that all levers share; weight: ``[b]`` 0 each its own, 1 the common.
    """
    own = common.new_tensor([lever.delay for lever in LEVERS.values()])
    blended = own + weight.unsqueeze(-1) * (common.unsqueeze(-1) - own)
    return dict(zip(LEVERS, blended.unbind(-1), strict=True))


def enforce(
    in_force: Policy,
    requested: Mapping[str, Tensor],
    rows: int | None = None,
    paces: Mapping[str, Tensor] | None = None,
    limit: Tensor | None = None,
) -> Policy:
    """One month of the policy pipeline: rate limit, then delay.

    Requests beyond ``Lever.rate`` a month are smoothly limited (tanh), as far as the ``limit``
    ``[b]`` binds (default: fully), then the share ``Lever.delay`` of the gap takes effect, or
    that of ``paces`` (see ``delays``). Levers that are not requested stay where they are, and so
    do all rows but the first ``rows`` (default: every row is governed).
    """
    result = dict(in_force)
    for name, target in requested.items():
        lever, now = LEVERS[name], in_force[name]
        governed = now if rows is None else now[:rows]
        gap = lever.rate * torch.tanh((target - governed) / lever.rate)
        if limit is not None:
            gap = torch.lerp(target - governed, gap, _by_row(limit, gap))
        if paces is None:
            moved = governed + lever.delay * gap
        else:
            moved = governed + _by_row(paces[name], gap) * gap
        result[name] = moved if rows is None else torch.cat([moved, now[rows:]])
    return result


def _by_row(values: Tensor, like: Tensor) -> Tensor:
    """``values`` ``[b]`` of the rows of ``like`` ``[B, ...]``, ready to multiply it."""
    shared = values if values.shape[0] == 1 else values[: like.shape[0]]
    return shared.reshape(-1, *(1,) * (like.dim() - 1))


def announced(
    in_force: Policy, requested: Mapping[str, Tensor], rows: int | None = None
) -> Policy:
    """Where each instrument is headed: the request, or the setting in force without one."""
    result = dict(in_force)
    for name, target in requested.items():
        result[name] = target if rows is None else torch.cat([target, in_force[name][rows:]])
    return result


def parse_settings(settings: Mapping[str, float]) -> dict[str, float]:
    """Check lever settings in physical units.

    Raises:
        ValueError: unknown levers or values outside the bounds, all in one message.
    """
    problems = []
    for name, value in settings.items():
        lever = LEVERS.get(name)
        if lever is None:
            problems.append(f"lever {name!r} is unknown; known: {', '.join(LEVERS)}")
        elif not lever.low <= value <= lever.high:
            problems.append(
                f"lever {name!r}: {value:g} {lever.unit}, expected {lever.low:g} to {lever.high:g}"
            )
    if problems:
        raise ValueError("; ".join(problems))
    return dict(settings)
