"""What governors are told: published series, late, noisy and incomplete (MODEL section 7).

A figure is one number a month that somebody may look at: an indicator of the whole city
(``rent``) or of every district (``district:rent``). A series is how figures are collected and
published. The channel itself is ``envs.city.channel``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from envs.city import details
from envs.city.indicators import INDICATORS, Formula, Indicator
from envs.city.lifecycle import LIFE_CYCLE
from envs.city.model import City, CityState, Flows
from envs.city.parameter_table import ASSUMED
from envs.city.sizes import SERVICE_NAMES

DISTRICT = "district:"
#: Series of this block are reported to every governor, also in a silo.
TREASURY = "treasury"
#: Months after its first release that a figure is revised.
REVISION = 12
#: Share of the first release's error that a revision leaves.
REVISED_ERROR = 1 / 3


@dataclass(frozen=True)
class Series:
    """One row: what is published, how often, how late and how well, with nothing shared.

    Attributes:
        name: identifier.
        block: who collects it; a governor sees only its own block's series in a silo.
        detail: how finely it is broken down where it is collected.
        every: months between two reference months (1 monthly, 3 quarterly, 12 annual).
        lag: months from a reference month to its release.
        noise: standard deviation of a first release's error, log points.
        coverage: share of districts where it is measured (sensors, stations).
        missing: share of releases that do not appear; the figure before stays.
        bias: key of ``BIASES``, or "".
        figures: names that are published with it; ``district:`` where only those are.
        source: origin of the numbers.
    """

    name: str
    block: str
    detail: str
    every: int
    lag: int
    noise: float
    figures: tuple[str, ...]
    coverage: float = 1.0
    missing: float = 0.0
    bias: str = ""
    source: str = ASSUMED


def _undercount(c: City, s: CityState, f: Flows) -> Tensor:
    """Share of residents counted: low incomes are missed."""
    people = f.residents.people
    missed = c.parameters.bd.undercount * people[..., :details.LOW_INCOMES].sum(-1)
    return 1 - missed / people.sum(-1)


def _registered(c: City, s: CityState, f: Flows) -> Tensor:
    """Share of jobs and pay on the books: who evades tax hides them too."""
    hidden = s.treasury.evasion[:, 1:].mean(-1, keepdim=True)
    return (1 - hidden).expand(-1, f.residents.people.shape[1])


def _discontent(c: City, s: CityState) -> Tensor:
    """Chance that a resident complains ``[B, D, K]``: worse off than in the first year."""
    return torch.sigmoid(c.start.planning.perceived - s.planning.perceived)


def _voice(c: City, s: CityState, f: Flows) -> Tensor:
    """Complaints received over complaints felt: some groups speak up, others stay silent."""
    felt = f.residents.people * _discontent(c, s)
    return (felt * c.parameters.bdk.voice).sum(-1) / felt.sum(-1)


#: What a series counts over what there is, by district ``[B, D]``; only its change since the
#: first year distorts, since governors compare published figures with published ones.
BIASES: dict[str, Formula] = {
    "undercount": _undercount,
    "evasion": _registered,
    "voice": _voice,
}

_MODEL_7 = "MODEL section 7, assumed"

SERIES: dict[str, Series] = {
    row.name: row
    for row in (
        Series("population", "planning", "district, type", 12, 12, 0.02, ("population",), bias="undercount", source=_MODEL_7),
        Series("prices", "planning", "district", 1, 2, 0.03, ("rent", "rent_share", "property_value"), source=_MODEL_7),
        Series("permits", "planning", "district", 1, 1, 0.02, ("permits", "completions", "floor_per_head"), source=_MODEL_7),
        Series("jobs", "industry", "district, sector", 3, 5, 0.02, ("jobs", "wage_bill", *details.names("labour_")), bias="evasion", source=_MODEL_7),
        Series("accounts", "industry", "district, sector", 3, 5, 0.03, ("output", "capital", *details.names("output_"), *details.names("capital_"))),
        Series("incomes", "industry", "district", 12, 12, 0.03, ("income", "income_low", "low_income_share")),
        Series("labour", "industry", "city", 3, 3, 0.05, ("unemployment",), missing=0.02),
        Series("audits", "industry", "-", 12, 12, 0.20, ("evasion",), coverage=0.0, source="MODEL section 5(11): evasion shows in revenue only"),
        Series("services", "services", "district, service", 1, 2, 0.03, (*(f"quality_{name}" for name in SERVICE_NAMES), "service_load", *details.names("load_"), "staff"), missing=0.02, source=_MODEL_7),
        Series("complaints", "services", "district", 1, 0, 0.0, ("complaints", "hotline"), bias="voice", source=_MODEL_7),
        Series("traffic", "infrastructure", "road", 1, 1, 0.05, ("traffic", "congestion", "commute_time"), coverage=0.4, missing=0.05, source=_MODEL_7),
        Series("transit", "infrastructure", "city", 1, 1, 0.01, ("transit_trips",), source=_MODEL_7),
        Series("roads", "infrastructure", "road", 12, 3, 0.05, ("road_condition",)),
        Series("energy", "infrastructure", "district", 12, 12, 0.03, ("emissions",), source=_MODEL_7),
        Series("air", "infrastructure", "station", 1, 0, 0.10, ("pollution", "district:emissions"), coverage=0.3, missing=0.05, source=_MODEL_7),
        Series("revenue", TREASURY, "tax", 1, 1, 0.0, ("revenue", "debt_ratio", "spending_met"), source=_MODEL_7),
        Series("works", TREASURY, "lever", 1, 1, 0.02, tuple(LIFE_CYCLE), source="as permits and completions"),
    )
}


def _floor(stage: int) -> Formula:
    """Floor in a third of its construction ``[B, D]`` m2."""
    return lambda c, s, f: s.planning.home_pipe[..., stage] + s.planning.work_pipe[..., stage]


def _finished(c: City, s: CityState, f: Flows) -> Tensor:
    """Floor that the coming month completes ``[B, D]`` m2."""
    return 3 / c.parameters.bd.lag_h * _floor(2)(c, s, f)


def _complaining(c: City, s: CityState, f: Flows) -> Tensor:
    """Share of residents with a complaint ``[B, D]``."""
    people = f.residents.people
    return (people * _discontent(c, s)).sum(-1) / people.sum(-1)


def _in_all(district: Formula) -> Formula:
    return lambda c, s, f: district(c, s, f).sum(-1)


def _complaining_in_all(c: City, s: CityState, f: Flows) -> Tensor:
    people = f.residents.people
    return (people * _discontent(c, s)).sum((1, 2)) / people.sum((1, 2))


def _heard(c: City, s: CityState, f: Flows) -> Tensor:
    """Complaints that reach the city per resident ``[B, D]``: felt, by who speaks up there.

    Who speaks up is that of the first year; what changes since is the series' bias ``voice``.
    """
    people = c.start.planning.people
    speaking = (people * c.parameters.bdk.voice).sum(-1) / people.sum(-1)
    return _complaining(c, s, f) * speaking


def _heard_in_all(c: City, s: CityState, f: Flows) -> Tensor:
    people = f.residents.people.sum(-1)
    return (_heard(c, s, f) * people).sum(-1) / people.sum(-1)


def _wages(c: City, s: CityState, f: Flows) -> Tensor:
    return f.market.wages.sum(-1)


def _staff(c: City, s: CityState, f: Flows) -> Tensor:
    return s.services.staff.sum(-1)


#: What the statistical bulletin tells beside the indicators (scenario option ``bulletin``).
BULLETIN: dict[str, Indicator] = {
    row.name: row
    for row in (
        Indicator("permits", "m2", 0, "planning", _in_all(_floor(0)), _floor(0)),
        Indicator("completions", "m2/month", 1, "planning", _in_all(_finished), _finished),
        Indicator("wage_bill", "k$/month", 1, "industry", _in_all(_wages), _wages),
        Indicator("staff", "efficiency units", 0, "services", _in_all(_staff), _staff),
        Indicator("complaints", "share of residents", -1, "services", _complaining_in_all, _complaining, False, 0.01),
        Indicator("pollution", "index", -1, "infrastructure", lambda c, s, f: f.traffic.pollution.mean(-1), lambda c, s, f: f.traffic.pollution),
    )
}

#: Complaints as the city counts them, so that places where few speak up count for less.
HOTLINE = Indicator("hotline", "complaints per resident", -1, "services", _heard_in_all, _heard, False, 0.01)

FIGURES: dict[str, Indicator] = {**LIFE_CYCLE, **BULLETIN, HOTLINE.name: HOTLINE, **details.DETAILS, **INDICATORS}


def indicator_of(figure: str) -> Indicator:
    """The row behind a figure's name."""
    return FIGURES[figure.removeprefix(DISTRICT)]


def formula_of(figure: str) -> Formula:
    """How a figure is worked out: ``[B]`` of the city, ``[B, D]`` of the districts.

    Raises:
        ValueError: a figure that districts do not have.
    """
    row = indicator_of(figure)
    if not figure.startswith(DISTRICT):
        return row.city
    if row.district is None:
        raise ValueError(f"indicator {row.name!r} has no district values")
    return row.district


def series_of(figure: str) -> Series:
    """The series that publishes a figure.

    Raises:
        ValueError: nobody publishes it.
    """
    for name in (figure, figure.removeprefix(DISTRICT)):
        for row in SERIES.values():
            if name in row.figures:
                return row
    raise ValueError(f"no series publishes {figure!r}; add it to a row of SERIES")


def interpolated(series: Series, information: float) -> Series:
    """The series as published at a level of ``information`` in [0, 1].

    With ``s = 1 - information``, 1 in a silo: the interval is ``1 + s (every - 1)`` and the
    lag ``s lag`` months, both rounded; noise and missing releases are ``s`` times the table's;
    coverage is ``1 - s (1 - coverage)``. What a series counts is to the power ``s``
    (``Channel``), and another block's series reaches a governor with chance ``information``.
    """
    if not 0 <= information <= 1:
        raise ValueError(f"information={information}: expected 0 to 1")
    s = 1 - information
    return replace(
        series,
        every=1 + round(s * (series.every - 1)),
        lag=round(s * series.lag),
        noise=s * series.noise,
        coverage=1 - s * (1 - series.coverage),
        missing=s * series.missing,
    )
