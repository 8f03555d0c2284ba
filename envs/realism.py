"""Realism switches: how much of evasion, delay, shocks and the like a city meets.

Each runs from 0 to 1 and can be scheduled (``envs.curriculum``). Whatever their values, the
baseline stays a steady state: the first year is inverted anew, so that effects are due to policies
and shocks alone. A fitted twin is not at rest and keeps its state; there the switches change
parameters, and what is in a pipeline or evaded is scaled with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from envs.city import tree
from envs.city.evasion import Dodging
from envs.city.inversion import invert
from envs.city.model import City, CityState
from envs.city.parameters import Parameters
from envs.errors import ScenarioError
from envs.twin.ensemble import spread_around
from envs.twin.settings import load_settings


@dataclass(frozen=True)
class Switch:
    """One row of the table: what 0 and 1 stand for, and the value of the model as it is."""

    name: str
    zero: str
    one: str
    default: float = 1.0


SWITCHES: dict[str, Switch] = {
    switch.name: switch
    for switch in (
        Switch("evasion", "nobody evades, mimics or dodges", "as calibrated"),
        Switch(
            "delay",
            "instruments in force at once, building in a quarter",
            "delays, rate limits and building lags of the tables",
        ),
        Switch(
            "information",
            "a silo: published series in full delay and noise, of one's own block only",
            "today's values",
        ),
        Switch("shocks", "a steady world", "shocks, trends and crises as the preset says"),
        Switch(
            "uncertainty",
            "the city's own parameters",
            "each row a draw from the log-normal priors, sigma .5 where solved",
            default=0.0,
        ),
        Switch("coupling", "the four blocks as they stood in the first month", "all ports live"),
    )
}

#: Least share of evasion that is computed with, in place of none: far below rounding.
LEAST = 1e-12
#: Months that an Erlang-3 chain takes at least, one a stage.
SHORTEST = 3.0
LAGS = ("lag_h", "lag_fac", "lag_g")
#: Speeds at which what is paid for gets into service, 1/month.
PACES = ("rate_staff", "rate_transit")
#: Sets the parameters of a row apart from its other random streams.
_STREAM = (3,)
_KEPT = 8
_CHANGED: dict[tuple[int, float, float], tuple[City, City]] = {}


def problems(values: Mapping[str, float]) -> list[str]:
    """What is wrong with values of switches, in words."""
    found = [
        f"{name!r} is no switch of realism; known: {', '.join(SWITCHES)}"
        for name in values
        if name not in SWITCHES
    ]
    return found + [
        f"{name}={value:g}: expected 0 to 1"
        for name, value in values.items()
        if name in SWITCHES and not 0 <= value <= 1
    ]


def changed(city: City, evasion: float, delay: float) -> City:
    """The city with a share of its evasion and of its delays; itself where both are 1.

    Every share that is evaded, mimicked or dodged is ``evasion`` times what the gamble of the
    calibrated city comes to at the same rates. Delays of levers, rate limits, building lags, the
    hiring of staff and the start of transit services go from the tables' to none.
    """
    if evasion == delay == 1:
        return city
    key = id(city), evasion, delay
    if key not in _CHANGED:
        while len(_CHANGED) >= _KEPT:
            _CHANGED.pop(next(iter(_CHANGED)))
        _CHANGED[key] = city, _with(city, _less(city.parameters, evasion, delay))
    return _CHANGED[key][1]


def drawn(city: City, seeds: Sequence[int], uncertainty: float) -> Parameters:
    """Parameters of a city a row, drawn from the priors around its own.

    Log-normal as the members of a twin are (``configs/twin``): sigma ``neutral_spread`` for the
    parameters of the neutral prior (MODEL section 22.4), ``spread`` for rates, gains and
    elasticities, kept within the table's range; both times ``uncertainty``.

    Args:
        city: one row, or one a seed; seeds: of the rows, each of which owns its stream.

    Raises:
        ScenarioError: a fitted twin, whose rows are draws of its posterior already.
    """
    if city.panel is None:
        raise ScenarioError(
            "uncertainty: the rows of a fitted twin are draws already, leave it at 0"
        )
    streams = [np.random.default_rng(np.random.SeedSequence(s, spawn_key=_STREAM)) for s in seeds]
    like = city.start.treasury.debt

    def noise(size: tuple[int, ...]) -> Tensor:
        return torch.as_tensor(np.stack([rng.standard_normal(size) for rng in streams])).to(like)

    return spread_around(city.parameters, noise, load_settings().widths(uncertainty))


def settled(city: City, parameters: Parameters, rows: int, evasion: float, delay: float) -> City:
    """The city at the drawn parameters of some rows, with a share of its evasion and delays."""
    if evasion != 1 or delay != 1:
        parameters = _less(parameters, evasion, delay)
    assert city.panel is not None, "draws are of cities at rest"
    panel = city.panel if city.rows == rows else tree.expand(city.panel, rows)
    return _with(replace(city, panel=panel), parameters)


def _less(p: Parameters, evasion: float, delay: float) -> Parameters:
    """Parameters with a share of evasion and of delays.

    A share that dodges is ``max (1 - exp(-gain / (cost max)))``: scaling ``max`` and keeping
    ``cost max`` scales it as a whole. Ranges of the table bound estimates, not switches.
    """
    share = max(evasion, LEAST)
    values = dict(p.values)
    for most, cost in (("ev_max", "ev_cost"), ("dodge_max", "dodge_cost")):
        values[most], values[cost] = values[most] * share, values[cost] / share
    for name in LAGS:
        values[name] = SHORTEST + delay * (values[name] - SHORTEST)
    for name in PACES:
        values[name] = 1 + delay * (values[name] - 1)
    weight = values["delay_weight"]
    own = delay * (1 - weight)
    at_once = delay * weight * values["delay_common"] + 1 - delay
    if delay < 1:
        values |= {"delay_weight": 1 - own, "delay_common": at_once / (1 - own)}
    values["rate_limit"] = values["rate_limit"] * delay
    return Parameters(values)


def _with(city: City, parameters: Parameters) -> City:
    """The city at other parameters, at rest again in its first year where it was at rest."""
    if city.panel is not None:
        with torch.no_grad():
            again = invert(city.panel, parameters)
        return replace(again, geography=city.geography, drift=city.drift)
    return replace(city, parameters=parameters, start=_moved(city, parameters))


def _moved(city: City, parameters: Parameters) -> CityState:
    """A twin's state where what is in a pipeline or evaded follows its parameters."""
    start, now, then = city.start, parameters.values, city.parameters.values

    def scaled(x: Tensor, name: str) -> Tensor:
        ratio = now[name] / then[name]
        return x * (ratio if ratio.dim() == x.dim() else ratio.reshape(-1, *(1,) * (x.dim() - 1)))

    works, taxed, dodged = start.infrastructure, start.treasury, start.treasury.dodging
    most = (now["dodge_max"] / then["dodge_max"]).unbind(-1)
    return replace(
        start,
        planning=replace(
            start.planning,
            home_pipe=scaled(start.planning.home_pipe, "lag_h"),
            work_pipe=scaled(start.planning.work_pipe, "lag_h"),
        ),
        services=replace(start.services, pipe=scaled(start.services.pipe, "lag_fac")),
        infrastructure=replace(
            works,
            road_pipe=scaled(works.road_pipe, "lag_g"),
            clean_pipe=scaled(works.clean_pipe, "lag_g"),
            retrofit_pipe=scaled(works.retrofit_pipe, "lag_g"),
        ),
        treasury=replace(
            taxed,
            evasion=scaled(taxed.evasion, "ev_max"),
            dodging=Dodging(
                mimic=dodged.mimic * most[0].reshape(-1, 1, 1),
                fraud=dodged.fraud * most[1].reshape(-1, 1),
                riding=dodged.riding * most[2],
                claims=dodged.claims * most[3].reshape(-1, 1),
            ),
        ),
    )
