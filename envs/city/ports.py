"""Ports: everything that one block tells another within a month.

A block reads ports and its own state, never another block's state. Each class names the
stage that writes it. Tensors are ``[B, ...]``; D districts, K household types, S sectors,
P private sectors, H services.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from envs.city.functions import mix

_LEAST = 1e-18


@dataclass(frozen=True)
class Fiscal:
    """What the treasury lets the city know at the start of the month (treasury.announce).

    policy: instruments in force; announced: where each is headed (what governors asked for);
    released: ``[B, D]`` land released this month, share of stock; keep_income: ``[B]`` and
    keep_business: ``[B, P]`` shares kept after tax; subsidy: ``[B, D, P]`` that reaches real
    capital, 1/month; toll, road_toll: ``[B, D]`` and fare: ``[B]`` that are paid on average;
    rebate: ``[B, K]`` and targeting: ``[B, K, H]`` that types get, by their own tag or a false
    one; lure: ``[B, K]`` what a false tag is worth, share of pay; dividend: ``[B]`` k$ that all
    residents share. Tolls, fares and rebates are in the unit of their levers.
    """

    policy: dict[str, Tensor]
    announced: dict[str, Tensor]
    released: Tensor
    keep_income: Tensor
    keep_business: Tensor
    subsidy: Tensor
    toll: Tensor
    road_toll: Tensor
    fare: Tensor
    rebate: Tensor
    targeting: Tensor
    lure: Tensor
    dividend: Tensor


@dataclass(frozen=True)
class Residents:
    """Who lives where (planning).

    people: ``[B, D, K]``; home_floor, work_floor: ``[B, D]`` m2; home_rent, work_rent:
    ``[B, D]`` k$/m2/month; home_growth, work_growth: ``[B, D]`` rent growth expected, 1/yr.
    """

    people: Tensor
    home_floor: Tensor
    work_floor: Tensor
    home_rent: Tensor
    work_rent: Tensor
    home_growth: Tensor
    work_growth: Tensor


@dataclass(frozen=True)
class Roads:
    """Level of service (infrastructure).

    car_time, transit_time: ``[B, D, D]`` minutes; car_cost: ``[B, D, D]`` generalised minutes of
    the choice of a route, road tolls included; car_toll: ``[B, D, D]`` road toll of a car in units
    of the lever; shares: ``[B, D * D, R]`` of the routes of each pair; index: ``[B, D]`` roads per
    head, baseline 1; stock: ``[B, D]`` roads, baseline 1; frequency: ``[B]`` log of frequency
    over baseline.
    """

    car_time: Tensor
    car_cost: Tensor
    car_toll: Tensor
    shares: Tensor
    transit_time: Tensor
    index: Tensor
    stock: Tensor
    frequency: Tensor


@dataclass(frozen=True)
class Staffing:
    """What public services employ and occupy (services.staffing).

    staff: ``[B, D]`` efficiency units; facilities: ``[B, D]`` over the first year.
    """

    staff: Tensor
    facilities: Tensor


@dataclass(frozen=True)
class Land:
    """How the land of a district is used (planning).

    homes, works, facilities, roads, free: ``[B, D]`` km2, together all land; release: ``[B, D]``
    land released that was found, share of that for homes and work; found: ``[B, D]`` found over
    wanted; lost: ``[B, D]`` free land gone since the first year, share of that for homes and work.
    """

    homes: Tensor
    works: Tensor
    facilities: Tensor
    roads: Tensor
    free: Tensor
    release: Tensor
    found: Tensor
    lost: Tensor


@dataclass(frozen=True)
class JobOffers:
    """What employers post (industry.post).

    attraction: ``[B, D, K]`` weight of workplaces; jobs: ``[B, D, S]`` part of it by sector,
    before affinity: ``[B, K, S]``, the match of types and sectors; demand: ``[B, D, S]`` labour
    wanted, efficiency units; productivity, price: ``[B, D, P]`` log total factor productivity
    and log output price.
    """

    attraction: Tensor
    jobs: Tensor
    affinity: Tensor
    demand: Tensor
    productivity: Tensor
    price: Tensor

    def supply(self, units: Tensor) -> Tensor:
        """Labour by sector ``[B, D, S]`` of ``units`` ``[B, D, K]`` that chose the workplaces."""
        return self.jobs * mix(units / self.attraction.clamp_min(_LEAST), self.affinity)

    def chosen(self, values: Tensor) -> Tensor:
        """Mean ``[B, D, K]`` of ``values`` ``[B, D, S]`` over the sectors that a type chooses."""
        weighted = mix(self.jobs * values, self.affinity.transpose(1, 2))
        return weighted / self.attraction.clamp_min(_LEAST)


@dataclass(frozen=True)
class Commute:
    """Choice of workplace and mode (travel).

    phi: ``[B, D, K]`` accessibility sum; workers: ``[B, D, K]`` persons by workplace;
    car, transit: ``[B, D, D]`` persons; minutes, money: ``[B, D, K]`` expected per leg
    (minutes, k$); common: ``[B, D, K]`` the part of money that all types weigh alike when they
    choose (operating cost, road tolls); kernel: ``[B, D, M * D]`` ease of each mode and workplace,
    weight: ``[B, K, M * D]`` their pull on each type; tolls, fares: ``[B]`` k$/month paid.
    """

    phi: Tensor
    workers: Tensor
    car: Tensor
    transit: Tensor
    minutes: Tensor
    money: Tensor
    common: Tensor
    kernel: Tensor
    weight: Tensor
    tolls: Tensor
    fares: Tensor


@dataclass(frozen=True)
class Market:
    """Cleared labour and goods markets (industry.clear).

    employed: ``[B, D, S]`` efficiency units; rate: ``[B, D, S]`` employed over supply;
    pay: ``[B, D, K]`` expected pay of an efficiency unit by workplace; sales: ``[B, D, P]``
    k$/month; output: ``[B, D, P]`` volume; profit: ``[B, D, P]`` capital income; floor:
    ``[B, D]`` floor bill of firms; wages: ``[B, D, S]`` wage bill; effort: ``[B]``
    efficiency per head over baseline; skill: ``[B]`` log of skills; jobs: ``[B, D]`` heads;
    capital: ``[B, D, P]`` k$; surplus: ``[B]`` profits after tax and subsidy beyond the user cost,
    k$/month;
    pull: ``[B, K]`` log points by which the city's tags draw a type from elsewhere.
    """

    employed: Tensor
    rate: Tensor
    pay: Tensor
    sales: Tensor
    output: Tensor
    profit: Tensor
    floor: Tensor
    wages: Tensor
    effort: Tensor
    skill: Tensor
    jobs: Tensor
    capital: Tensor
    surplus: Tensor
    pull: Tensor


@dataclass(frozen=True)
class Income:
    """Household budgets per resident (households).

    gross, net, disposable: ``[B, D, K]`` k$/month; spending: ``[B, D]`` all residents.
    """

    gross: Tensor
    net: Tensor
    disposable: Tensor
    spending: Tensor


@dataclass(frozen=True)
class Shopping:
    """Local market (industry.shop): revenue ``[B, D]``; price_index ``[B, D]`` log price paid."""

    revenue: Tensor
    price_index: Tensor


@dataclass(frozen=True)
class Traffic:
    """Load of the networks and the air (infrastructure.load).

    vehicle_km: ``[B, D]`` per peak hour; load: ``[B, D]`` volume over capacity; link_km, link_load:
    ``[B, L]`` the same by road resource (link, or the district again);
    pollution: ``[B, D]`` next month's index; emissions: ``[B]`` index, baseline 1;
    ridership: ``[B]`` commuters by transit.
    """

    vehicle_km: Tensor
    load: Tensor
    link_km: Tensor
    link_load: Tensor
    pollution: Tensor
    emissions: Tensor
    ridership: Tensor


@dataclass(frozen=True)
class Energy:
    """Energy of the month (infrastructure.power); C uses: homes, workplaces, industry, transport.

    use: ``[B, D, C]`` MWh; carbon: ``[B, D, C]`` t CO2; renewable: ``[B]`` share of energy; load:
    ``[B]`` use over capacity of the grid; price: ``[B]`` log price over the first year's.
    """

    use: Tensor
    carbon: Tensor
    renewable: Tensor
    load: Tensor
    price: Tensor


@dataclass(frozen=True)
class ServiceUse:
    """Service quality as residents meet it (services.serve).

    quality: ``[B, D, H]`` next month's perceived quality; proximity: ``[B, D, H]`` log;
    access: ``[B, D, H]`` quality met this month; load: ``[B, D, H]`` utilisation;
    fees: ``[B, 1, K]`` k$ a month per resident; unserved: ``[B]`` visits; education: ``[B, D]``
    log perceived quality of schools over the first year's; utility: ``[B, D, K]`` service terms
    of utility.
    """

    quality: Tensor
    proximity: Tensor
    access: Tensor
    load: Tensor
    fees: Tensor
    unserved: Tensor
    education: Tensor
    utility: Tensor


@dataclass(frozen=True)
class Value:
    """Worth of living somewhere (planning.value and households; a pure function of ports).

    utility: ``[B, D, K]`` instantaneous decision utility, log consumption; welfare:
    ``[B, D, K]`` the same with experienced weights; land_surplus, profit_surplus: ``[B]``
    quasi-rents and quasi-profits, k$/month; property_value, land_value: ``[B, D]`` k$ of all
    property and of the land under it.
    """

    utility: Tensor
    welfare: Tensor
    land_surplus: Tensor
    profit_surplus: Tensor
    property_value: Tensor
    land_value: Tensor


@dataclass(frozen=True)
class Settlement:
    """The month's public accounts (treasury.settle), all ``[B]`` k$/month unless said.

    revenue, spending (all that is paid), request; scale: paid over requested by governor;
    staff_scale, upkeep_scale: ``[B, D]`` the same for staff and maintenance; debt: next
    month's debt, k$; dividend: surplus that residents share next month; lines: named revenue
    and spending.
    """

    revenue: Tensor
    spending: Tensor
    request: Tensor
    scale: dict[str, Tensor]
    staff_scale: Tensor
    upkeep_scale: Tensor
    debt: Tensor
    dividend: Tensor
    lines: dict[str, Tensor]
