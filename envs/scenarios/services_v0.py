"""services_v0: one directorate for each public service, and a social office."""

from __future__ import annotations

from dataclasses import dataclass

from envs.scenarios.offices import Office, Offices


@dataclass(frozen=True)
class ServicesV0(Offices):
    """Public services alone: what is offered, to whom, and at what price.

    The directorates of education, health, safety and culture set staff, facilities and fee of
    their service (``own``); the social office sets rebates by household type and who comes first
    (``targeting``, positive: low incomes), and whatever else services hold.
    """

    block = "services"
    offices = (
        Office(
            name="directorates",
            goals=("quality_{}",),
            levers=("staff", "facilities", "fee"),
            axis="service",
            agent="directorate",
            sees=("quality_{}", "load_{}"),
            costs=("service_minimum",),
        ),
        Office(
            name="social",
            goals=("income_low",),
            sees=("income_low", "low_income_share", "complaints"),
        ),
    )
