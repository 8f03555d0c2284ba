"""The experiments of MODEL section 20 in the study's setting (section 23)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from envs import presets
from envs.city import tree, welfare
from envs.city.levers import GOVERNED
from envs.city.model import City, CityState, Flows
from envs.city.parameters import Value
from envs.city.sizes import TYPES
from experiments.histories import Month, Tick, change, history, policies, widened
from experiments.reference import figures

Values = dict[str, float]
_SEED = 0
_INNER = 9
_ROWS = 16


@dataclass(frozen=True)
class Size:
    """How large the experiments are: districts (None: as the study says), months at most."""

    districts: int | None = None
    months: int = 600

    def horizon(self, months: int) -> int:
        """Months of an experiment, cut where all is kept small."""
        return min(months, self.months)


def study(size: Size, rows: int = 1, **overrides: Value) -> City:
    """The study's city in float32, each row the same city with other parameters."""
    return presets.cities(presets.STUDY, [_SEED] * rows, size.districts, overrides).to(
        torch.float32
    )


def _column(values: Sequence[float], times: int = 1) -> Tensor:
    """One parameter value a row, each ``times`` times."""
    return torch.tensor(values, dtype=torch.float64).repeat_interleave(times)


def drift(size: Size, tick: Tick) -> Values:
    """Drift of people and rents without policy."""
    city = study(size, len(figures.LOADS), vc=_column(figures.LOADS))
    start = city.start.planning
    worst = {"people": torch.zeros(3), "rents": torch.zeros(3)}
    for _, state, _ in history(city, policies(city, [{}] * 3), size.horizon(600), "pooled"):
        now = {"people": state.planning.people, "rents": state.planning.home_rent}
        first = {"people": start.people, "rents": start.home_rent}
        for name, value in now.items():
            gap = (value / first[name] - 1).abs().flatten(1).amax(1)
            worst[name] = torch.maximum(worst[name], gap)
    tick()
    people = worst["people"].tolist()
    found = {f"drift/people at {x:g}": 1e6 * y for x, y in zip(figures.LOADS, people, strict=True)}
    return found | {"drift/rents": 1e6 * float(worst["rents"].max())}


def extreme(size: Size, tick: Tick) -> Values:
    """Random policies within the bounds, drawn anew each year."""
    city = study(size)
    generator = torch.Generator().manual_seed(_SEED)
    policy = policies(city, [{}] * _ROWS)
    low: dict[str, float] = {}
    high: dict[str, float] = {}
    bad = 0

    def draw() -> None:
        for name, lever in GOVERNED.items():
            drawn = torch.rand(policy[name].shape, generator=generator)
            policy[name] = lever.low + (lever.high - lever.low) * drawn

    def redraw(now: Month) -> None:
        if now.number % 12 == 0:
            draw()

    draw()
    first = _levels(city.initial(1), _first(city))
    for _, state, flows in history(city, policy, size.horizon(600), "pooled", rule=redraw):
        for name, value in _levels(state, flows).items():
            level = value / first[name] if name in ("people", "gdp", "rent") else value
            low[name] = min(low.get(name, math.inf), float(level.min()))
            high[name] = max(high.get(name, -math.inf), float(level.max()))
        bad += sum(not bool(torch.isfinite(x).all()) for _, x in tree.leaves(state))
        bad += int((state.planning.people < 0).any()) + int((state.industry.capital < 0).any())
    tick()
    found = {
        f"extreme/{name} {side}": values[name]
        for name in ("people", "gdp", "rent", "debt")
        for side, values in (("low", low), ("high", high))
    }
    return found | {"extreme/load": high["load"], "extreme/bad": float(bad)}


def _first(city: City) -> Flows:
    """Flows of the first month."""
    return next(history(city, policies(city, [{}]), 1))[2]


def _levels(state: CityState, flows: Flows) -> dict[str, Tensor]:
    """City-wide quantities ``[B]``."""
    commute, roads, lines = flows.commute, flows.roads, flows.settlement.lines
    own = ("income_tax", "business_tax", "property_tax", "fares", "tolls", "fees")
    return {
        "time": (commute.car * roads.car_time).sum((1, 2)) / commute.car.sum((1, 2)),
        "vkt": flows.traffic.vehicle_km.sum(-1),
        "transit": commute.transit.sum((1, 2)),
        "people": flows.residents.people.sum((1, 2)),
        "rent": flows.residents.home_rent.mean(-1),
        "gdp": flows.market.sales.sum((1, 2)),
        "debt": state.treasury.debt / flows.settlement.revenue,
        "load": flows.traffic.load.amax(-1),
        "revenue": flows.settlement.revenue,
        "own revenue": torch.stack([lines[name] for name in own]).sum(0),
    }


def statics(size: Size, tick: Tick) -> Values:
    """One lever at a time."""
    settings = {"today": {}, **{name: levers for name, (levers, _) in figures.STATICS.items()}}
    city = study(size)
    horizons = {month for _, by_month in figures.STATICS.values() for month in by_month}
    last = size.horizon(max(horizons))
    seen: dict[int, dict[str, list[float]]] = {}
    evaded: dict[int, Tensor] = {}
    for month, state, flows in history(city, policies(city, list(settings.values())), last):
        if month in horizons or month == last:
            seen[month] = {k: change(v) for k, v in _levels(state, flows).items()}
            evaded[month] = 100 * (state.treasury.evasion - state.treasury.evasion[:1])
    tick()
    found: Values = {}
    for row, name in enumerate(settings):
        for asked, cells in figures.STATICS.get(name, ({}, {}))[1].items():
            month = asked if asked in seen else last
            for cell in cells:
                key = f"statics/{name}, {asked} months: {cell}"
                moved = evaded[month][row].tolist()
                found[key] = max(moved, key=abs) if cell == "evasion" else seen[month][cell][row]
    transit = found["statics/transit x2, 120 months: transit"] / 100
    return found | {"statics/frequency elasticity": math.log1p(transit) / math.log(2)}


def budget(size: Size, tick: Tick) -> Values:
    """More staff, paid from outside or by the one treasury."""
    city = study(size)
    found: Values = {}
    for mode, label, wanted in (("soft", "soft", (240,)), ("pooled", "paid", (60, 240))):
        policy = policies(city, [{}, {"staff": 1.3}])
        last = size.horizon(240)
        for month, state, _ in history(city, policy, last, mode):
            moved = change(state.planning.people.sum((1, 2)))[1]
            for asked in wanted:
                if month == min(asked, last):
                    found[f"budget/{label} {asked}"] = moved
    tick()
    return found


def lucas(size: Size, tick: Tick) -> Values:
    """The same policy under residents that learn slowly or fast."""
    gains = list(figures.LEARNING)
    city = study(size, 2 * len(gains), gain_v=_column(gains, 2))
    policy = policies(city, [{}, {"staff": 1.3}] * len(gains))
    *_, (_, state, _) = history(city, policy, size.horizon(60))
    tick()
    quo, moved = state.planning.people.sum((1, 2)).reshape(-1, 2).unbind(-1)
    changes = (100 * (moved / quo - 1)).tolist()
    return {f"lucas/{gain:g}": x for gain, x in zip(gains, changes, strict=True)}


def induced(size: Size, tick: Tick) -> Values:
    """Traffic that a fifth more road brings."""
    loads, elastic, _ = zip(*figures.INDUCED.values(), strict=True)
    city = study(
        size,
        2 * len(loads),
        vc=_column(loads, 2),
        nonwork_el=_column(elastic, 2),
    )
    state, policy = widened(city, [1.0, 1.2] * len(loads))
    found: Values = {}
    last = size.horizon(max(figures.MONTHS))
    for month, _, flows in history(city, policy, last, state=state):
        for asked in figures.MONTHS:
            if month == min(asked, last):
                quo, more = flows.traffic.vehicle_km.sum(-1).reshape(-1, 2).unbind(-1)
                slopes = (torch.log(more / quo) / math.log(1.2)).tolist()
                for name, slope in zip(figures.INDUCED, slopes, strict=True):
                    found[f"induced/{name}, {asked}"] = slope
    tick()
    return found


def daily(size: Size, tick: Tick) -> Values:
    """Whether perceived travel times settle, by their gain and the load of the roads."""
    pairs = [(g, x) for x in figures.LOADS for g in figures.GAINS] + [(figures.CYCLE, 1.6)]
    gains, loads = zip(*pairs, strict=True)
    city = study(
        size,
        len(pairs),
        gain_tau=_column(gains),
        vc=_column(loads),
        nonwork_el=1.0,
    )
    state, policy = widened(city, [1.2] * len(pairs))
    before = state.infrastructure.pace
    moved = torch.zeros(len(pairs))
    for _, now, _ in history(city, policy, size.horizon(60), state=state):
        pace = now.infrastructure.pace
        moved = torch.log(pace / before).abs().amax(-1)
        before = pace
    tick()
    values = {name: value[0] for name, value in city.parameters.values.items()}
    labour, floor = values["share_labour"], values["share_floor"]
    slope = float((1 + labour / (1 - labour - floor)).max() + values["eps"])
    return {
        "daily/settled": float((moved[:-1] < 1e-3).sum()),
        "daily/cycle": float(moved[-1]),
        "daily/margin": 1 / (float(values["eta_w"]) * slope),
    }


def toll(size: Size, tick: Tick) -> Values:
    """A toll on the nine inner districts, its revenue an equal rebate."""
    city = study(size, vc=1.3)
    xy = city.geography.xy[0]
    inner = (xy - xy.mean(0)).norm(dim=-1).argsort()[:_INNER]
    occupancy = float(city.parameters.b.occupancy)
    tolls = [0.0, *figures.TOLLS]
    policy = policies(city, [{}] * len(tolls))
    for row, amount in enumerate(tolls):
        policy["toll"][row, inner] = 1e-3 * amount * occupancy
    money = city.fundamentals.treasury.money

    def give_back(now: Month) -> None:
        each = now.flows.commute.tolls / now.flows.residents.people.sum((1, 2)) / money
        now.policy["rebate"] = each.unsqueeze(-1).expand(-1, TYPES)

    *_, (_, _, flows) = history(city, policy, size.horizon(24), rule=give_back)
    tick()
    gains = {}
    for weights in welfare.WEIGHTS:
        reference = welfare.reference(city, weights)
        level = welfare.evaluate(city, reference, flows, weights).atkinson(1.0)
        gains[weights] = (100 * torch.log(level / level[0]))[1:].tolist()
    two = tolls.index(2.0)
    core = change(flows.commute.car[:, :, inner].sum((1, 2)))[two]
    load = change(flows.traffic.load[:, inner].mean(-1))[two]
    found = {f"toll/{t:g}": x for t, x in zip(figures.TOLLS, gains["experienced"], strict=True)}
    return found | {
        "toll/revealed best": max(gains["revealed"]),
        "toll/revealed worst": min(gains["revealed"]),
        "toll/core": core,
        "toll/load": load,
    }


EXPERIMENTS: Mapping[str, Callable[[Size, Tick], Values]] = {
    "drift": drift,
    "extreme": extreme,
    "statics": statics,
    "budget": budget,
    "lucas": lucas,
    "induced": induced,
    "daily": daily,
    "toll": toll,
}


def measure(size: Size, tick: Tick) -> Values:
    """Every figure of ``figures.FIGURES`` by key; ``tick`` after each experiment."""
    found: Values = {}
    for experiment in EXPERIMENTS.values():
        found |= experiment(size, tick)
    return found
