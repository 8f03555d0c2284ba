"""The series a city package may hold that the city model knows how to observe.

One table: what a series measures, its unit, the range that a figure must lie in, and the scale on
which the filter and the scores compare it. The city model's observation operators read the same
names. ``{currency}`` in a unit stands for the package's currency (ISO 4217, e.g. GBP). A series of
another name is allowed in a package: it is kept in the ledger and not assimilated.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["observation", "action"]
Level = Literal["stock", "flow", "price", "share"]
Transform = Literal["log", "logit", "linear"]

SUBSYSTEMS = ("planning", "industry", "services", "infrastructure")
INTERVALS = ("month", "year")
KINDS: tuple[Kind, ...] = ("observation", "action")


@dataclass(frozen=True)
class Variable:
    """One known series.

    Attributes:
        name: as in ``variables.csv``; a trailing ``*`` stands for any ending.
        kind: an observed outcome, or an action that a government took.
        unit: expected unit; ``{currency}`` stands for an ISO 4217 code.
        lower: smallest figure that can be.
        upper: largest figure that can be.
        level: stock (at a moment), flow (per period), price, or share.
        transform: scale of errors: log, logit (a percentage) or linear.
        description: what it measures.
        positive: zero cannot be either.
    """

    name: str
    kind: Kind
    unit: str
    lower: float
    upper: float
    level: Level
    transform: Transform
    description: str
    positive: bool = False

    def currency_of(self, unit: str) -> str | None:
        """Currency code in ``unit``, "" where the series has none, None where it does not match."""
        pattern = re.escape(self.unit).replace(re.escape("{currency}"), "([A-Z]{3})")
        match = re.fullmatch(pattern, unit)
        if match is None:
            return None
        return match.group(1) if match.groups() else ""


def _observed(
    name: str,
    unit: str,
    level: Level,
    description: str,
    *,
    upper: float = math.inf,
    transform: Transform = "log",
    positive: bool = False,
) -> Variable:
    return Variable(name, "observation", unit, 0.0, upper, level, transform, description, positive)


def _percentage(name: str, description: str) -> Variable:
    return _observed(name, "percent", "share", description, upper=100.0, transform="logit")


CATALOGUE: tuple[Variable, ...] = (
    _observed("population", "person", "stock", "residents at mid-year", positive=True),
    _observed("dwellings", "dwelling", "stock", "standing dwellings", positive=True),
    _observed("house_price", "{currency}", "price", "price of a dwelling", positive=True),
    _observed("house_sales", "sale/month", "flow", "dwellings sold"),
    _observed("median_rent", "{currency}/month", "price", "rent of a dwelling", positive=True),
    _observed("jobs", "job", "stock", "employment by workplace", positive=True),
    _observed("gva_per_job", "{currency}/year", "flow", "value added a job", positive=True),
    _observed("income_per_head", "{currency}/year", "flow", "net income a resident", positive=True),
    _observed(
        "median_salary", "{currency}/year", "flow", "median earnings of residents", positive=True
    ),
    _percentage("claimant_rate", "residents who claim unemployment benefit"),
    _observed("enterprises", "enterprise", "stock", "active firms", positive=True),
    _observed("vehicle_km", "km/year", "flow", "distance driven in the district", positive=True),
    _observed(
        "motor_vehicle_flow", "vehicle/day", "flow", "vehicles past a count point", positive=True
    ),
    _observed("road_length", "km", "stock", "length of the roads", positive=True),
    _observed("ghg_per_head", "t CO2e/year", "flow", "emissions a resident", positive=True),
    _observed("electricity_per_meter", "kWh/year", "flow", "electricity a dwelling", positive=True),
    _observed("gas_per_meter", "kWh/year", "flow", "gas a dwelling", positive=True),
    _observed("crimes", "offence/month", "flow", "recorded offences"),
    _percentage("persistent_absence", "pupils who miss a tenth of school or more"),
    _percentage("recycling_rate", "household waste that is recycled"),
    Variable(
        "council_tax_band_d",
        "action",
        "{currency}/dwelling/year",
        0.0,
        math.inf,
        "price",
        "log",
        "tax of a dwelling of the reference band",
    ),
    Variable(
        "spend_*",
        "action",
        "{currency}/year",
        -math.inf,
        math.inf,
        "flow",
        "linear",
        "spending of the local authority net of its income, hence at times negative",
    ),
)

_EXACT = {variable.name: variable for variable in CATALOGUE if not variable.name.endswith("*")}
_STEMS = tuple(variable for variable in CATALOGUE if variable.name.endswith("*"))


def lookup(name: str) -> Variable | None:
    """The catalogue's entry for a series name, or None where the series is not known."""
    if name in _EXACT:
        return _EXACT[name]
    for variable in _STEMS:
        stem = variable.name[:-1]
        if name.startswith(stem) and len(name) > len(stem):
            return variable
    return None
