"""The eight concepts of a complex adaptive city: where each lives in the model, and its measures.

One table, ``CONCEPTS``, maps a concept to the state that carries it, the equation that moves it
and the numbers that show it. A measure reads one month of one or more cities.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.measures.beliefs import BELIEFS, Belief, typical_error
from envs.city.measures.diversity import diversity, mutual_information, tag_strength
from envs.city.measures.flows import communities, percolation
from envs.city.measures.month import (
    Formula,
    Month,
    association,
    association_z,
    by_city,
    commuters_moved,
    density,
    exponent,
    exponent_error,
    income,
    job_density,
    mean_coupling,
    moved,
    output,
)
from envs.city.measures.segregation import dissimilarity, dissimilarity_many, theil

#: Household types that count as low income.
LOW = 2


@dataclass(frozen=True)
class Measure:
    """One number that shows a concept.

    Attributes:
        name, unit: identifier and unit; meaning: what a reader learns from it.
        formula: ``[B]`` from a month.
    """

    name: str
    unit: str
    meaning: str
    formula: Formula


@dataclass(frozen=True)
class Concept:
    """One of the eight concepts.

    Attributes:
        name, chinese: what it is called; state: where the model carries it (path in
            ``CityState`` or port); equation: section of the model's specification that moves
            it; measures: the numbers that show it.
    """

    name: str
    chinese: str
    state: str
    equation: str
    measures: tuple[Measure, ...]


def _error(belief: Belief) -> Measure:
    return Measure(
        f"error_{belief.name}",
        belief.unit,
        f"typical error of what {belief.holder} believe about {belief.about}",
        lambda m: typical_error(belief, m.city.parameters, m.before, m.after),
    )


CONCEPTS: tuple[Concept, ...] = (
    Concept("adaptive agents", "主体", "planning.people, industry.capital", "5(2), 5(7), 5(9), 5(10)", (
        Measure("residents_moved", "share", "residents (by district and type) who would have to move for the first year's pattern to return", lambda m: moved(m.people, m.city.start.planning.people)),
        Measure("capital_moved", "share", "capital (by district and sector) that would have to move for the first year's pattern to return", lambda m: moved(m.flows.market.capital, m.city.start.industry.capital)),
        Measure("commuters_moved", "share", "commuters (by home, mode and work) who would have to change for the first year's pattern to return", commuters_moved),
    )),
    Concept("aggregation", "聚集", "industry.employed, industry.capital, planning.people", "5(2) spillovers, 5(3) Harris-Wilson, 5(7) homophily", (
        Measure("moran_people", "index", "Moran's I of residents per km2: above -1/(D-1) neighbours are alike", association(density)),
        Measure("moran_people_z", "std", "its distance from a random pattern", association_z(density)),
        Measure("moran_jobs", "index", "Moran's I of jobs per km2", association(job_density)),
        Measure("moran_jobs_z", "std", "its distance from a random pattern", association_z(job_density)),
        Measure("moran_income", "index", "Moran's I of income per head", association(income)),
        Measure("moran_income_z", "std", "its distance from a random pattern", association_z(income)),
        Measure("dissimilarity_low", "index", "two lowest income types against all others: 0 even, 1 apart", lambda m: dissimilarity(m.people[..., :LOW].sum(-1), m.people[..., LOW:].sum(-1))),
        Measure("dissimilarity", "index", "all types: 0 even, 1 apart", lambda m: dissimilarity_many(m.people)),
        Measure("theil", "nats", "Theil's T of disposable income", lambda m: theil(m.flows.income.disposable, m.people).total),
        Measure("theil_between", "nats", "the part of it between districts", lambda m: theil(m.flows.income.disposable, m.people).between),
        Measure("theil_within", "nats", "the part of it within districts", lambda m: theil(m.flows.income.disposable, m.people).within),
    )),
    Concept("flows", "要素流", "ports commute, shopping, settlement", "5(1), 5(2), 5(3), 5(12)", (
        Measure("communities", "count", "communities of commuting flows (Louvain)", by_city(communities, lambda c: float(c.labels.max() + 1))),
        Measure("modularity", "index", "commuting within them beyond chance", by_city(communities, lambda c: c.modularity)),
        Measure("commuting_kept", "share", "commuting that stays within a community", by_city(communities, lambda c: c.kept)),
        Measure("percolation", "share", "commuting tie at which clusters are about to become one city", by_city(percolation, lambda c: c.critical)),
        Measure("connected", "share", "weakest tie needed for all districts to hang together", by_city(percolation, lambda c: c.connected)),
    )),
    Concept("nonlinearity", "非线性", "industry.knowledge, infrastructure.pace, services.quality", "5(2) agglomeration, 5(4) congestion, 5(5) queues", (
        Measure("exponent_output", "exponent", "output of a district with the people present (residents and jobs)", exponent(output)),
        Measure("exponent_output_error", "exponent", "its standard error", exponent_error(output)),
        Measure("exponent_traffic", "exponent", "vehicle-km of a district with the people present", exponent(lambda m: m.flows.traffic.vehicle_km)),
        Measure("exponent_traffic_error", "exponent", "its standard error", exponent_error(lambda m: m.flows.traffic.vehicle_km)),
        Measure("exponent_property", "exponent", "property value of a district with the people present", exponent(lambda m: m.flows.value.property_value)),
        Measure("exponent_property_error", "exponent", "its standard error", exponent_error(lambda m: m.flows.value.property_value)),
    )),
    Concept("diversity", "多样性", "planning.people by type, industry.capital by sector", "5(9), 5(10) seed entry", (
        Measure("types", "count", "equally common types that would be as diverse as the city (exponential of Shannon's entropy)", lambda m: diversity(m.people).city.exp()),
        Measure("types_district", "count", "the same within a typical district", lambda m: diversity(m.people).within.exp()),
        Measure("sectors", "count", "equally large sectors that would be as diverse as the city's jobs", lambda m: diversity(m.flows.market.employed).city.exp()),
        Measure("sectors_district", "count", "the same within a typical district", lambda m: diversity(m.flows.market.employed).within.exp()),
    )),
    Concept("tags", "标识", "industry.tags, offers.affinity", "2 tags, 5(2) affinity, 5(7) homophily, 5(11) mimicry", (
        Measure("tag_information", "nats", "what a worker's type tells about the sector of work", lambda m: mutual_information(m.matches)),
        Measure("tag_strength", "share", "that, of the most it could tell", lambda m: tag_strength(m.matches)),
        Measure("tag_drift", "tag units", "how far the city's own tags have drifted since the first year", lambda m: torch.linalg.vector_norm(m.after.industry.tags, dim=-1)),
        Measure("place_information", "nats", "what the district tells about a resident's type", lambda m: diversity(m.people).between),
    )),
    Concept("internal models", "内部模型", ", ".join(belief.state for belief in BELIEFS), "5(2), 5(4), 5(5), 5(7), 5(8), 5(10), 5(11)", tuple(_error(belief) for belief in BELIEFS)),
    Concept("building blocks", "积木块", "every port (envs.city.ports)", "10", (
        Measure("port_coupling", "ratio", "how far a disturbance of one block's ports moves another block in a year, mean over pairs", mean_coupling),
    )),
)  # fmt: skip

MEASURES: dict[str, Measure] = {row.name: row for concept in CONCEPTS for row in concept.measures}


def measure(month: Month) -> dict[str, Tensor]:
    """Every measure of a month, ``[B]`` each; NaN where it is not defined.

    Raises:
        ValueError: a city of fewer than four districts.
    """
    with torch.no_grad():
        return {name: row.formula(month) for name, row in MEASURES.items()}
