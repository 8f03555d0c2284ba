"""industry_v0: a tax office, one agency for each private sector, and a skills office."""

from __future__ import annotations

from dataclasses import dataclass

from envs.scenarios.offices import Office, Offices


@dataclass(frozen=True)
class IndustryV0(Offices):
    """Industry alone: what the city takes from firms and workers and what it gives them.

    The tax office sets income tax, business tax by sector and audits; each agency subsidises the
    capital of its sector (``own``); the skills office spends on research, training and talent, and
    holds whatever else industry does.
    """

    block = "industry"
    offices = (
        Office(
            name="tax",
            goals=("spending_met", "evasion"),
            levers=("business_tax", "income_tax", "audit"),
            costs=("deficit",),
        ),
        Office(
            name="agencies",
            goals=("output_{}", "labour_{}"),
            levers=("subsidy",),
            axis="private",
            agent="agency",
            sees=("output_{}", "labour_{}", "capital_{}"),
        ),
        Office(name="skills", goals=("income", "unemployment")),
    )
