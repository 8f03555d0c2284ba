"""The observed first year of a city, and the economy that it implies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.city.parameters import Parameters
from envs.city.sizes import PRIVATE
from envs.city.streets import StreetPlan


@dataclass(frozen=True)
class Panel:
    """Observed first year, batched ``[b, ...]``.

    xy: ``[b, D, 2]`` km; land: ``[b, D]`` km2; people: ``[b, D, K]`` persons; jobs: ``[b, D]``;
    output_per_job: ``[b, D]`` k$/month of private and public value added (or None: the default
    wage everywhere); home_price: ``[b, D]`` k$ per resident (or None: the default user cost);
    sectors: ``[b, D, S]`` shares of jobs (or None: the default shares); streets: the road network
    (or None: roads without links, one reservoir a district).
    """

    xy: Tensor
    land: Tensor
    people: Tensor
    jobs: Tensor
    output_per_job: Tensor | None = None
    home_price: Tensor | None = None
    sectors: Tensor | None = None
    streets: StreetPlan | None = None


@dataclass(frozen=True)
class Economy:
    """Production of the first year at which every market of labour and floor clears.

    frictional: ``[b]`` employed over supply; participation: ``[b]`` workers per resident;
    demand, employed, wages: ``[b, D, S]`` efficiency units, k$/month per unit; wage: ``[b, D]``
    k$/month per unit; city_wage: ``[b]``; money: ``[b]`` local wage over the unit of money
    levers; sales, profit, capital: ``[b, D, P]`` k$/month, k$; productivity: ``[b, D, P]`` log;
    work_floor: ``[b, D]`` m2; work_rent: ``[b, D]`` k$/m2/month.
    """

    frictional: Tensor
    participation: Tensor
    demand: Tensor
    employed: Tensor
    wage: Tensor
    wages: Tensor
    city_wage: Tensor
    money: Tensor
    sales: Tensor
    profit: Tensor
    capital: Tensor
    productivity: Tensor
    work_floor: Tensor
    work_rent: Tensor


def sector_shares(panel: Panel, p: Parameters) -> Tensor:
    """Share of a district's jobs by sector ``[b, D, S]``.

    Public staff are placed by residents and jobs, at most ``staff_most`` of a district's jobs;
    the private sectors share the rest as observed.
    """
    total = panel.jobs.sum(-1, keepdim=True)
    homes = panel.people.sum(-1)
    default = p.bdk.sector_jobs.expand(*panel.jobs.shape, -1)
    shares = default if panel.sectors is None else panel.sectors
    public = (shares[..., PRIVATE] * panel.jobs).sum(-1, keepdim=True)
    placed = (
        p.bd.staff_by_home * homes / homes.sum(-1, keepdim=True)
        + (1 - p.bd.staff_by_home) * panel.jobs / total
    )
    staff = torch.minimum(public * placed, p.bd.staff_most * panel.jobs)
    private = shares[..., :PRIVATE] / shares[..., :PRIVATE].sum(-1, keepdim=True)
    private = private * (panel.jobs - staff).unsqueeze(-1)
    jobs = torch.cat([private, staff.unsqueeze(-1)], -1)
    return jobs / panel.jobs.unsqueeze(-1)


def first_economy(panel: Panel, p: Parameters) -> Economy:
    """Wages, sales, capital and productivity behind the panel's jobs and output."""
    homes = panel.people.sum(-1)
    frictional = 2 ** (-1 / p.b.rho_match)
    participation = panel.jobs.sum(-1) / (frictional * homes.sum(-1))
    shares = sector_shares(panel, p)
    units = (participation.reshape(-1, 1, 1) * panel.people * p.bdk.efficiency).sum((1, 2))
    per_job = (units / panel.jobs.sum(-1)).unsqueeze(-1)
    demand = shares * (panel.jobs * per_job).unsqueeze(-1)

    labour, floor = p.bdk.share_labour, p.bdk.share_floor
    matched = frictional.reshape(-1, 1, 1)
    realised = matched ** (labour / (1 - floor))
    if panel.output_per_job is None:
        wage = p.bd.wage * torch.ones_like(panel.jobs)
    else:
        sales_per_wage = torch.cat([realised / labour, matched], -1)
        wage = panel.output_per_job / ((shares * sales_per_wage).sum(-1) * per_job)
    city_wage = (wage * panel.jobs).sum(-1) / panel.jobs.sum(-1)
    wages = wage.unsqueeze(-1).expand_as(demand)

    private = wages[..., :PRIVATE]
    desired = private * demand[..., :PRIVATE] / labour
    sales = desired * realised
    employed = matched * demand
    profit = sales * (1 - floor) - private * employed[..., :PRIVATE]
    capital = profit / p.bdk.gross_return
    work_floor = p.bd.floor_job * panel.jobs
    work_rent = (sales * floor).sum(-1) / work_floor
    productivity = (1 - labour - floor) * torch.log(desired / capital) - (
        floor * torch.log(floor / work_rent.unsqueeze(-1)) + labour * torch.log(labour / private)
    )
    return Economy(
        frictional=frictional,
        participation=participation,
        demand=demand,
        employed=employed,
        wage=wage,
        wages=wages,
        city_wage=city_wage,
        money=city_wage / p.b.wage_unit,
        sales=sales,
        profit=profit,
        capital=capital,
        productivity=productivity,
        work_floor=work_floor,
        work_rent=work_rent,
    )
