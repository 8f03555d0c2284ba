"""How far a city has moved from its first state: the measure of the steady-state test.

Drift is ``|x - x0| / max(|x0|, typical)`` (MODEL section 23). States that are a quantity of
something are compared with themselves; those that start at or near zero with a typical
value: a month of the public budget for debt and dividend, one log point for logs and
utilities, the scale of expectations for expected growth, the range for levers in force.
"""

from __future__ import annotations

from torch import Tensor

from envs.city import tree
from envs.city.levers import LEVERS
from envs.city.model import City, CityState

_LOG_STATES = (
    "planning.perceived",
    "industry.establishments",
    "industry.knowledge",
    "industry.skill",
    "industry.tags",
    "industry.price_export",
)


def typical_values(city: City) -> dict[str, Tensor | float]:
    """Typical value by name of a state; a tensor is ``[b]``. Names that lack start above zero."""
    f, p = city.fundamentals.treasury, city.parameters
    values: dict[str, Tensor | float] = dict.fromkeys(_LOG_STATES, 1.0)
    values["planning.home_growth"] = values["planning.work_growth"] = p.b.growth_scale
    values["treasury.debt"] = values["treasury.dividend"] = f.budget
    for share in ("mimic", "fraud", "claims"):
        values[f"treasury.dodging.{share}"] = 1.0
    for name, lever in LEVERS.items():
        values[f"treasury.policy.{name}"] = lever.high - lever.low
    return values


def drift(city: City, state: CityState) -> dict[str, float]:
    """Largest relative distance of every state ``[B, ...]`` from the city's first state."""
    typical = typical_values(city)
    rows = state.treasury.debt.shape[0]
    pairs = zip(tree.leaves(state), tree.leaves(city.initial(rows)), strict=True)
    found = {}
    for (name, now), (_, start) in pairs:
        scale = start.abs()
        least = typical.get(name)
        if isinstance(least, Tensor):
            scale = scale.maximum(least.reshape(-1, *(1,) * (start.dim() - 1)))
        elif least is not None:
            scale = scale.clamp_min(least)
        found[name] = float(((now - start).abs() / scale).max())
    return found
