"""An example dossier from synthetic numbers, with London's real districts and figures."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np

import configs
from experiments.dossier import (
    Dossier,
    LeverRow,
    Provenance,
    Tried,
    Vintage,
    comparison_effects,
    cost_rows,
    district_effects,
    fan,
    group_effects,
    lever_rows,
    read_tiles,
    reversal_plan,
    stopping_rule,
)
from experiments.gate import BacktestRow, DataFacts, Evidence, Rollouts, SeriesFact, judge
from experiments.gate.planted import measure_rates

LONDON = configs.root() / "city" / "london"
GROUPS = ("low income", "lower middle", "upper middle", "high income")
DECEMBER_2015 = 12 * 2015 + 11
UNITS = {
    "population": "person",
    "jobs": "job",
    "dwellings": "dwelling",
    "median_salary": "GBP/year",
    "claimant_rate": "percent",
    "house_price": "GBP",
}


def example_evidence(gain: float = 0.009, seeds: int = 10) -> Evidence:
    """Evidence about a policy of a given true gain, over 33 districts and 48 draws."""
    generator = np.random.default_rng(7)
    shape = (3, seeds, 48)
    luck = generator.normal(0, 0.004, 48)
    welfare = np.stack(
        [
            np.broadcast_to(luck, shape[1:]),
            np.broadcast_to(luck + 0.002 + generator.normal(0, 0.001, 48), shape[1:]),
            luck
            + gain
            + generator.normal(0, 0.001, (seeds, 1))
            + generator.normal(0, 0.002, shape[1:]),
        ]
    )
    by_group = np.repeat(welfare[..., None], len(GROUPS), axis=-1)
    by_group[2] += np.array([0.004, 0.002, -0.001, -0.0075])
    by_district = np.repeat(welfare[..., None], 33, axis=-1)
    by_district[2] += generator.normal(0, 0.006, 33) + generator.normal(0, 0.008, (*shape[1:], 33))
    return Evidence(
        data=DataFacts(DECEMBER_2015, tuple(SeriesFact(name, DECEMBER_2015, 12) for name in UNITS)),
        backtest=tuple(_backtest(generator)),
        pit=dict.fromkeys(UNITS, 0.4),
        rollouts=Rollouts(
            ("status_quo", "proportional", "policy"),
            welfare,
            by_group,
            by_district,
            {
                "deficit": np.full(shape, 0.021) + 0.004 * np.arange(3)[:, None, None],
                "emissions_over_path": np.full(shape, 0.31),
            },
            {"deficit": 0.05, "emissions_over_path": 0.35},
        ),
        groups=GROUPS,
        tried=3,
    )


def example_dossier(gain: float = 0.009, seeds: int = 10) -> Dossier:
    """A dossier with every section filled."""
    evidence = example_evidence(gain, seeds)
    verdict = judge(evidence)
    comparison = comparison_effects(evidence)
    costs = cost_rows(evidence)
    levers = _levers()
    with (LONDON / "districts.csv").open(encoding="utf-8") as lines:
        districts = list(csv.DictReader(lines))
    return Dossier(
        title="Coordinated city-wide governance for London",
        city="London boroughs",
        policy="Four governors set city-wide levers every quarter and answer to what they observe.",
        period="ten years from 2016",
        verdict=verdict,
        comparison=comparison,
        currency="GBP",
        levers=levers,
        groups=group_effects(evidence),
        districts=district_effects(
            evidence,
            [row["code"] for row in districts],
            [row["name"] for row in districts],
            [float(row["x_km"]) for row in districts],
            [float(row["y_km"]) for row in districts],
        ),
        tiles=read_tiles("london"),
        fans=tuple(_fans()),
        scorecard=evidence.backtest,
        population_ethics={
            "incumbents": (0.0081, 0.0052, 0.0110),
            "residents": (0.0074, 0.0046, 0.0102),
            "land_fiscal": (0.0033, -0.0012, 0.0078),
            "total": (0.0089, 0.0063, 0.0115),
        },
        atkinson={"utilitarian": 0.0071, "nash": 0.0085, "atkinson": 0.0096, "rawls": 0.0121},
        costs=costs,
        tried=(
            Tried("ppo, seed family A", 0.009, 0.006, 0.012, "proposed"),
            Tried("ppo, no sharing", 0.004, -0.001, 0.009),
            Tried("open-loop plan", 0.005, 0.002, 0.008),
        ),
        gate_rates=measure_rates(cases=2).to_json(),
        reversal=reversal_plan(levers),
        stopping=stopping_rule(0.005, comparison, costs),
        provenance=Provenance(
            command="polislab recommend --city london --policy runs/demo/4be1c2/seed-0/policy",
            vintages=(
                Vintage(
                    "Population, jobs, claimants, salaries",
                    "2015",
                    "Open Government Licence v3.0",
                    "Office for National Statistics",
                ),
                Vintage(
                    "House prices",
                    "June 2015",
                    "Open Government Licence v3.0",
                    "HM Land Registry",
                ),
            ),
            hashes={"city package": "3f9a1c…", "config": "4be1c2…"},
            seeds={"training": "0-9", "gate": "20150000-20150047"},
            versions={"polislab": "0.1.0", "torch": "2.13.0"},
            notes=("Contains public sector information licensed under the OGL v3.0.",),
        ),
    )


def without_tiles(dossier: Dossier) -> Dossier:
    """The same dossier for a city that has no tile map."""
    return replace(dossier, tiles={})


def _levers() -> tuple[LeverRow, ...]:
    """Settings in the units of the lever table; the mean London wage is about 2,900 a month."""
    return lever_rows(
        {
            "far": (1.14, 1.02, 1.30),
            "income_tax": (0.047, 0.043, 0.051),
            "staff[education]": (1.08, 1.00, 1.15),
            "rebate": (0.016, 0.005, 0.028),
            "transit": (1.22, 1.10, 1.35),
            "fare": (0.0018, 0.0016, 0.0020),
            "toll": (0.0026, 0.0011, 0.0037),
        },
        "GBP",
        2900.0,
    )


def _backtest(generator: np.random.Generator) -> list[BacktestRow]:
    """Errors near the published ones; the twin is good on all but house prices."""
    base = {
        "population": (0.0068, 0.0157, 0.0080),
        "jobs": (0.0341, 0.0408, 0.0365),
        "dwellings": (0.0036, 0.0080, 0.0043),
        "median_salary": (0.0291, 0.0357, 0.0341),
        "claimant_rate": (0.140, 0.166, 0.182),
        "house_price": (0.0830, 0.0784, 0.0744),
    }
    rows = []
    for part, scale in (("all", 1.0), ("idiosyncratic", 0.6)):
        for name, errors in base.items():
            for years in (1, 3):
                twin, persistence, drift = (e * scale * years**0.8 for e in errors)
                skill = 1 - twin / min(persistence, drift)
                rows.append(
                    BacktestRow(
                        name,
                        part,
                        years,
                        231,
                        twin,
                        persistence,
                        drift,
                        skill,
                        float(np.clip(generator.normal(0.9, 0.01), 0, 1)),
                        skill - 0.05,
                        60.0,
                    )
                )
    return rows


def _fans() -> list[object]:
    """Fans of a made-up forecast from 2008 around the real city totals or means."""
    generator = np.random.default_rng(3)
    table: dict[str, dict[int, list[float]]] = {}
    with (LONDON / "observations.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["variable"] in UNITS:
                years = table.setdefault(row["variable"], {})
                years.setdefault(int(row["time"][:4]), []).append(float(row["value"]))
    out = []
    for name, unit in UNITS.items():
        whole = np.sum if unit in ("person", "job", "dwelling") else np.mean
        years = sorted(table[name])
        seen = np.array([whole(table[name][year]) for year in years])
        ahead = np.arange(2008, 2021)
        start = seen[years.index(2008)]
        growth = np.log(start / seen[0]) / (2008 - years[0])
        walks = generator.normal(growth, 0.02, (400, len(ahead) - 1)).cumsum(axis=1)
        members = start * np.exp(np.concatenate([np.zeros((400, 1)), walks], axis=1))
        out.append(fan(name, unit, years, seen, ahead, members))
    return out
