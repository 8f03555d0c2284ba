"""The one table of sectors and the one of services: what sets a kind apart from its like.

Names, sizes and every parameter with an entry a sector or a service read these rows. A number
is the default of the parameter that has its name (``envs.city.parameter_table``), where range,
unit and source stand; shares are in proportion to the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, nan

#: Sectors that the model treats by name, last in every list: local firms sell to residents, the
#: public one serves them. All others export.
AT_HOME = ("local", "public")


@dataclass(frozen=True)
class Sector:
    """A sector of the economy.

    Attributes:
        name: identifier.
        tags: what marks it, one number each of ``sizes.TAG_NAMES`` (parameter ``tag_<name>``).
        outward: log points by which synthetic cities have more of it at the edge than in the
            centre; None where it is spread as all jobs are.
        share_labour, share_floor, agglomeration, contact_trade: of private firms.
    """

    name: str
    sector_jobs: float
    affinity_low: float
    affinity_high: float
    tags: tuple[float, float, float, float]
    outward: float | None = None
    share_labour: float = nan
    share_floor: float = nan
    agglomeration: float = nan
    contact_trade: float = nan


@dataclass(frozen=True)
class Service:
    """A public service: its name and the defaults of its parameters."""

    name: str
    visits: float
    staff_split: float
    power_access: float
    contact_visits: float
    om_service: float


def _place(row: Sector) -> int:
    return AT_HOME.index(row.name) + 1 if row.name in AT_HOME else 0


_SECTORS = (
    Sector(
        "manufacturing",
        sector_jobs=0.25,
        affinity_low=1.5,
        affinity_high=0.3,
        tags=(0.0, 1.6, 0.0, 0.0),
        outward=0.6,
        share_labour=0.55,
        share_floor=0.08,
        agglomeration=0.04,
        contact_trade=0.02,
    ),
    Sector(
        "knowledge",
        sector_jobs=0.30,
        affinity_low=0.2,
        affinity_high=2.0,
        tags=(2.3, 0.0, 0.0, 0.0),
        outward=-0.6,
        share_labour=0.65,
        share_floor=0.12,
        agglomeration=0.07,
        contact_trade=0.01,
    ),
    Sector(
        "local",
        sector_jobs=0.30,
        affinity_low=1.3,
        affinity_high=0.7,
        tags=(0.0, 0.0, 1.0, 0.0),
        share_labour=0.65,
        share_floor=0.12,
        agglomeration=0.0,
        contact_trade=0.15,
    ),
    Sector(
        "public",
        sector_jobs=0.15,
        affinity_low=1.0,
        affinity_high=1.0,
        tags=(0.0, 0.0, 0.0, 1.0),
    ),
)
SECTOR_TABLE: tuple[Sector, ...] = tuple(sorted(_SECTORS, key=_place))
SERVICE_TABLE: tuple[Service, ...] = (
    Service(
        "education",
        visits=0.18,
        staff_split=0.45,
        power_access=3.0,
        contact_visits=0.0,
        om_service=0.066,
    ),
    Service(
        "health",
        visits=0.10,
        staff_split=0.30,
        power_access=1.0,
        contact_visits=0.3,
        om_service=0.0446,
    ),
    Service(
        "safety",
        visits=0.05,
        staff_split=0.15,
        power_access=2.0,
        contact_visits=0.0,
        om_service=0.0227,
    ),
    Service(
        "culture",
        visits=0.30,
        staff_split=0.10,
        power_access=4.0,
        contact_visits=-0.3,
        om_service=0.0144,
    ),
)


def column(rows: tuple[Sector, ...] | tuple[Service, ...], name: str) -> tuple[float, ...]:
    """One field of every row."""
    return tuple(getattr(row, name) for row in rows)


def shares(rows: tuple[Sector, ...] | tuple[Service, ...], name: str) -> tuple[float, ...]:
    """One field of every row over its sum."""
    values = column(rows, name)
    return tuple(value / fsum(values) for value in values)
