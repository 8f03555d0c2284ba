"""The one table of shocks: what the world does to a city, month by month.

Dynamics, docs and blocks read this table. A shock is a port that nobody in the city writes:
zero is a quiet world. Levels persist from month to month; events strike and fade; noise is
drawn afresh each month and only in the stochastic mode.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from envs.city.sizes import TYPES

Shocks = dict[str, Tensor]
AXES: dict[str, tuple[str, ...]] = {
    "": (),
    "type": ("K",),
    "district": ("D",),
    "district,type": ("D", "K"),
    "district,floor": ("D", "F"),
}
FLOOR_KINDS = ("home", "work")


@dataclass(frozen=True)
class Shock:
    """One row of the table.

    Attributes:
        name: key in ``Shocks``; axis: key of ``AXES``.
        kind: "level" (persistent process), "event" (strikes and fades) or "noise".
        unit: unit of the value; meaning: what it does; block: module that reads it.
        shared: a level of districts has a part that is the same in all of them.
    """

    name: str
    axis: str
    kind: str
    unit: str
    meaning: str
    block: str
    shared: bool = False

    def size(self, districts: int) -> tuple[int, ...]:
        """Shape without the batch dimension."""
        extents = {"D": districts, "K": TYPES, "F": len(FLOOR_KINDS)}
        return tuple(extents[letter] for letter in AXES[self.axis])


SHOCKS: dict[str, Shock] = {
    shock.name: shock
    for shock in (
        Shock("productivity", "district", "level", "log points", "total factor productivity", "industry", shared=True),
        Shock("amenity", "district", "level", "log points", "utility of living in a district", "planning"),
        Shock("outside", "", "level", "log points", "utility of living elsewhere", "planning"),
        Shock("demand", "", "level", "log points", "price of exports", "industry"),
        Shock("floor_cost", "", "level", "log points", "cost of construction", "planning"),
        Shock("contact", "", "event", "share", "avoidance of contact in a pandemic: crowded vehicles, local trade, other trips", "infrastructure"),
        Shock("closure", "district", "event", "share of capital", "manufacturing capital that closes this month", "industry"),
        Shock("arrivals", "type", "event", "share of residents", "people who arrive this month whatever the city offers", "planning"),
        Shock("fuel", "", "event", "log points", "price of fuel", "travel"),
        Shock("moving_noise", "district,type", "noise", "standard normal", "chance in who moves where", "planning"),
        Shock("building_noise", "district,floor", "noise", "standard normal", "chance in building starts", "planning"),
    )
}


@dataclass(frozen=True)
class Event:
    """A crisis that may strike a city, all assumed.

    Attributes:
        name: identifier; shock: row of the table that it drives.
        size: height of the strike in the shock's unit; fade: months until a third of it is
            left (0: it lasts one month).
        local: it strikes one district, else all.
    """

    name: str
    shock: str
    size: float
    fade: float
    local: bool = False


EVENTS: dict[str, Event] = {
    event.name: event
    for event in (
        Event("pandemic", "contact", 0.8, 9.0),
        Event("factory closure", "closure", 0.7, 0.0, local=True),
        Event("migration wave", "arrivals", 0.04, 0.0),
        Event("fuel price", "fuel", 0.6, 18.0),
        Event("recession", "demand", -0.08, 24.0),
    )
}


def lasting(shocks: Shocks) -> Shocks:
    """Shocks that may be taken to stay: levels; events pass and chance has no memory."""
    return {
        name: value if SHOCKS[name].kind == "level" else value.new_zeros(value.shape)
        for name, value in shocks.items()
    }


def no_shocks(rows: int, districts: int, like: Tensor) -> Shocks:
    """A quiet world for ``rows`` rows; ``like`` gives dtype and device."""
    return {
        name: like.new_zeros(rows, *shock.size(districts)) for name, shock in SHOCKS.items()
    }
