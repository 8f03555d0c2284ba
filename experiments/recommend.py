"""From trained policies to a verdict: rollouts on the twin, the gate, and the dossier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import agents
import envs
from agents.policy import Policy
from envs.city.sizes import TYPE_NAMES
from envs.twin import posterior
from envs.twin.backtest import Row
from envs.twin.packages import CityPackage
from envs.twin.twin import Twin, forecast, posterior_city
from experiments import dossier as page
from experiments.errors import InputError
from experiments.evaluate import summary
from experiments.gate import BacktestRow, DataFacts, Evidence, SeriesFact, Verdict, judge, load
from experiments.gate.check import listing, plain
from experiments.rollouts import PROPOSED, STATUS_QUO, Outcome, collect
from experiments.runs import versions
from experiments.settings import GATE_SEED

RULES = (STATUS_QUO, "uniform", "proportional", "pi")
DRAWS = 32
FAN_YEARS = 5
_SUMMED = ("population", "dwellings", "jobs", "enterprises", "vehicle_km")
Tick = Callable[[], None]


@dataclass(frozen=True)
class Candidate:
    """What is proposed: one policy for each training seed, for one scenario.

    tried: policies tried to arrive here, these included.
    """

    policies: tuple[Policy, ...]
    scenario: str
    options: Mapping[str, Any]
    tried: int

    @classmethod
    def read(
        cls, folders: Sequence[Path], scenario: str, options: Mapping[str, Any] | None = None
    ) -> Candidate:
        """Load policy folders.

        Raises:
            InputError: a folder that holds no policy, or an unknown scenario; all problems at
                once.
        """
        found, problems = [], []
        if scenario not in envs.scenario_ids():
            problems.append(f"scenario {scenario!r}: expected {' or '.join(envs.scenario_ids())}")
        for folder in folders:
            try:
                found.append(agents.load(folder))
            except agents.PolicyError as error:
                problems += [f"{folder}: {problem}" for problem in error.problems]
        if problems or not found:
            raise InputError(problems or ["no policy was given"])
        return cls(tuple(found), scenario, options or {}, len(found))


@dataclass(frozen=True)
class Recommendation:
    """A verdict and where its dossier lies."""

    verdict: Verdict
    html: Path
    json: Path


def gate_environment(twin: Twin, candidate: Candidate, draws: int) -> Any:
    """The environment of the gate: members that training never saw."""
    held = posterior.Posterior(posterior_city(twin), {}).city(posterior.GATE)
    count = min(draws, held.rows)
    return envs.make(
        candidate.scenario,
        city=held,
        num_envs=count,
        seed=GATE_SEED,
        terminal="tail",
        **candidate.options,
    )


def steps(candidate: Candidate, env: Any) -> int:
    """Environment steps that ``recommend`` makes, for progress bars."""
    return int((len(candidate.policies) + len(RULES)) * env.steps_per_episode)


def recommend(
    twin: Twin,
    package: CityPackage,
    backtest: Sequence[Row],
    candidate: Candidate,
    env: Any,
    folder: Path,
    command: str,
    tick: Tick,
) -> Recommendation:
    """Judge a candidate and write the dossier into ``folder``."""
    problems = [
        text for policy in candidate.policies for text in agents.mismatches(policy, env.groups)
    ]
    if problems:
        raise InputError(sorted(set(problems)))
    rules = {name: agents.rule(name, env.groups) for name in RULES}
    rollouts, outcomes = collect(env, candidate.policies, rules, GATE_SEED, tick)
    evidence = Evidence(
        data=data_facts(package),
        backtest=tuple(
            BacktestRow.from_mapping(row.as_dict())
            for row in backtest
            if np.isfinite([row.crps_skill_low, row.coverage90]).all()
        ),
        pit={r.variable: r.pit for r in backtest if r.part == "all" and r.horizon == 1},
        rollouts=rollouts,
        groups=TYPE_NAMES,
        policy=PROPOSED,
        status_quo=STATUS_QUO,
        tried=candidate.tried,
        seed=GATE_SEED,
    )
    verdict = judge(evidence)
    paths = page.write_dossier(
        folder,
        _dossier(twin, package, backtest, candidate, env, evidence, verdict, outcomes, command),
    )
    return Recommendation(verdict, paths.html, paths.json)


def data_facts(package: CityPackage) -> DataFacts:
    """Newest month and interval of each series, as of the newest figure of the package."""
    rows = package.observations
    months = 12 * rows["year"] + rows["month"].fillna(12).astype(int) - 1
    newest = months.groupby(rows["variable"], observed=True).max()
    intervals = dict(zip(package.variables["name"], package.variables["interval"], strict=True))
    grouped = rows.groupby("variable", observed=True)
    counts, years = grouped["time"].nunique().to_dict(), grouped["year"].nunique().to_dict()
    facts = tuple(
        SeriesFact(
            str(name),
            int(month),
            12 if intervals[name] == "year" or counts[name] <= years[name] else 1,
        )
        for name, month in newest.items()
    )
    return DataFacts(as_of_month=int(months.max()), series=facts)


def _fans(twin: Twin, package: CityPackage) -> tuple[Any, ...]:
    """City totals, or means over districts, of every series: observed, and the twin's forecast.

    Only districts with a figure in every year that has any take part, so that no jump is due
    to a district that comes or goes.
    """
    ahead = forecast(twin, twin.last_year, FAN_YEARS, seed=1).numpy()
    units = package.variables.set_index("name")["unit"]
    found = []
    for v, name in enumerate(twin.data.series):
        observed = np.isfinite(twin.data.panel[:, v]).any(1)
        panel = twin.data.panel[observed, v]
        whole = np.isfinite(panel).all(0)
        if not whole.any():
            continue
        combine = np.sum if name in _SUMMED else np.mean
        first = twin.data.first[v, whole]
        past = combine(first * np.exp(panel[:, whole]), axis=-1)
        future = combine(first * np.exp(ahead[:, :, v, whole]), axis=-1).T
        years = np.array(twin.data.years)
        found.append(
            page.fan(
                name,
                str(units[name]),
                years[observed],
                past,
                np.arange(twin.last_year + 1, twin.last_year + 1 + FAN_YEARS),
                future,
                "city total" if name in _SUMMED else "mean of districts",
            )
        )
    return tuple(found)


def _dossier(
    twin: Twin,
    package: CityPackage,
    backtest: Sequence[Row],
    candidate: Candidate,
    env: Any,
    evidence: Evidence,
    verdict: Verdict,
    outcomes: Mapping[str, list[Outcome]],
    command: str,
) -> page.Dossier:
    proposed = outcomes[PROPOSED]
    currency = package.currency or "$"
    comparison = page.comparison_effects(evidence)
    costs = page.cost_rows(evidence)
    levers = page.lever_rows(
        {
            name: page.setting(np.concatenate([o.levers[name] for o in proposed]))
            for name in proposed[0].levers
        },
        currency,
        _monthly_wage(twin, env),
    )

    def measure(name: str) -> tuple[float, float, float]:
        found = summary(np.mean([o.measures[name] for o in proposed], axis=0))
        return found["mean"], found["low"], found["high"]

    places = package.districts
    start = twin.last_year + 1
    months = env.steps_per_episode * env.months_per_step
    return page.Dossier(
        title=f"What {sum(len(group.agents) for group in env.groups)} governors learned",
        city=package.title,
        policy=(
            f"The governors of {listing([group.name for group in env.groups])} set their levers "
            f"every {env.months_per_step} months and answer to what they observe. They were "
            f"trained {len(proposed)} times from different starting points; settings are means "
            f"over the last step, money is in prices of {twin.last_year}."
        ),
        period=f"{months // 12} years from {start}"
        if months >= 24
        else f"{months} months from {start}",
        verdict=verdict,
        comparison=comparison,
        currency=currency,
        levers=levers,
        groups=page.group_effects(evidence),
        districts=page.district_effects(
            evidence,
            list(places["code"]),
            list(places["name"]),
            [float(x) for x in places["x_km"]],
            [float(y) for y in places["y_km"]],
        ),
        tiles=page.read_tiles(package.name),
        fans=_fans(twin, package),
        scorecard=evidence.backtest,
        population_ethics={
            name: measure(name) for name in ("incumbents", "residents", "land_fiscal", "total")
        },
        atkinson={name: measure(name) for name in ("utilitarian", "nash", "atkinson", "rawls")},
        costs=costs,
        tried=tuple(
            page.Tried(f"training run {i}", *_mean_interval(outcome), "proposed")
            for i, outcome in enumerate(proposed, 1)
        )
        + tuple(
            page.Tried(f"simple rule: {name}", *_mean_interval(outcomes[name][0]), "reference")
            for name in RULES
            if name != STATUS_QUO
        ),
        reversal=page.reversal_plan(levers),
        stopping=page.stopping_rule(load().number("no_one_left_behind.margin"), comparison, costs),
        provenance=page.Provenance(
            command=command,
            vintages=_vintages(package),
            hashes={"city package": package.content_hash[:16]},
            seeds={
                "twin": str(twin.settings.seed),
                "gate": f"{GATE_SEED} to {GATE_SEED + env.num_envs - 1}",
            },
            versions=versions(),
            notes=(
                "Contains public sector information licensed under the Open Government "
                "Licence v3.0.",
            )
            if "OGL-UK-3.0" in package.licences
            else (),
        ),
    )


def _monthly_wage(twin: Twin, env: Any) -> float:
    """Mean monthly wage of the draws in the city's currency, in prices of the last year."""
    city = env.city
    real = float((city.fundamentals.households.money * city.parameters.b.wage_unit).mean())
    return 1000 * real * float(twin.members.world.price_level.exp().mean())


def _vintages(package: CityPackage) -> tuple[page.Vintage, ...]:
    """One row a source: the series it gives and its newest figure."""
    newest = package.observations.groupby("variable", observed=True)["time"].max()
    series: dict[str, list[str]] = {}
    for name in newest.index:
        series.setdefault(package.source_of(str(name)), []).append(str(name))
    return tuple(
        page.Vintage(
            listing([plain(name) for name in names]),
            str(newest[names].max()),
            ", ".join(package.licences),
            source,
        )
        for source, names in series.items()
    )


def _mean_interval(outcome: Outcome) -> tuple[float, float, float]:
    found = summary(outcome.welfare)
    return found["mean"], found["low"], found["high"]


__all__ = ["Candidate", "Recommendation", "data_facts", "gate_environment", "recommend", "steps"]
