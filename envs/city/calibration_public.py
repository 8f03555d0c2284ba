"""First state and fundamentals of the public side: treasury and services.

The counterpart of ``calibration`` for what the city itself runs.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from envs.city import (
    evasion,
    services,
    treasury,
)
from envs.city.functions import erlang_steady
from envs.city.geography import Geography
from envs.city.levers import BUDGET_LINES, Policy
from envs.city.panel import Economy, Panel
from envs.city.parameters import Parameters
from envs.city.ports import Fiscal, Residents, Roads
from envs.city.shocks import no_shocks
from envs.city.sizes import EVADER_NAMES, PRIVATE


def first_fiscal(p: Parameters, policy: Policy, people: Tensor) -> treasury.TreasuryState:
    """The treasury without debt, evasion at its target; ``people`` is ``[b, D, K]``."""
    kinds = people.sum(1)
    audit = policy["audit"].unsqueeze(-1).expand(-1, len(EVADER_NAMES)).clone()
    zero = torch.zeros_like(kinds[:, 0])
    lure = evasion.claimed(p, policy, kinds, torch.zeros_like(kinds)).lure
    return treasury.TreasuryState(
        evasion=evasion.taxes(p, policy, audit),
        dodging=evasion.dodges(p, policy, lure, audit, torch.ones_like(audit[:, :1])),
        audit=audit,
        debt=zero,
        dividend=zero.clone(),
        policy=policy,
    )


def first_services(
    e: Economy,
    panel: Panel,
    g: Geography,
    p: Parameters,
    roads: Roads,
    residents: Residents,
    fiscal: Fiscal,
) -> tuple[services.ServicesState, services.ServicesFundamentals]:
    """Staff as placed, facilities for the need, and the quality that residents are used to."""
    homes = panel.people.sum(-1)
    staff = e.demand[..., PRIVATE].unsqueeze(-1) * p.bdk.staff_split
    need = (homes.sum(-1, keepdim=True) * p.bd.visits) / p.bd.utilisation
    facilities = staff / staff.sum(1, keepdim=True) * need.unsqueeze(1)
    fundamentals = services.ServicesFundamentals(
        facilities, staff, torch.ones_like(staff), torch.zeros_like(staff), e.money
    )
    state = services.ServicesState(
        facilities=facilities.clone(),
        staff=staff.clone(),
        pipe=erlang_steady(p.bdk.delta_fac / 12 * facilities, p.bdk.lag_fac),
        quality=torch.ones_like(staff),
    )
    quiet = no_shocks(homes.shape[0], homes.shape[1], homes)
    use = services.serve(state, fundamentals, g, p, roads, residents, fiscal, quiet)
    return (
        replace(state, quality=use.access),
        replace(fundamentals, quality=use.access, proximity=use.proximity),
    )


def first_treasury(
    e: Economy,
    panel: Panel,
    p: Parameters,
    f: services.ServicesFundamentals,
    road: Tensor,
    policy: Policy,
) -> treasury.TreasuryFundamentals:
    """The budget at which staff take their share; the grant is set in ``inversion``."""
    people = panel.people
    pay = e.wage * e.frictional.unsqueeze(-1)
    lines = dict(zip(BUDGET_LINES, p.bd.budget_share.unbind(-1), strict=True))
    budget = (f.staff * pay.unsqueeze(-1)).sum((1, 2)) / lines["staff"]

    def spread(line: str, weight: Tensor) -> Tensor:
        total = (budget * lines[line]).reshape(-1, 1, 1)
        return weight / weight.sum((1, 2), keepdim=True) * total

    return treasury.TreasuryFundamentals(
        budget=budget,
        grant=torch.zeros_like(budget),
        people=people.sum(-1).sum(-1),
        units=(people.sum(1) * p.bd.efficiency).sum(-1),
        staff_cost=spread("staff", f.staff * e.wage.unsqueeze(-1)),
        facility_cost=spread("facilities", f.facilities / p.bdk.visits),
        road_cost=road / road.sum(-1, keepdim=True),
        public_wage=e.wage,
        money=e.money,
        property_tax=torch.zeros_like(e.wage),
        policy=policy,
    )
