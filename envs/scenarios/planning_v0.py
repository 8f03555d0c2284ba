"""planning_v0: planning boards by district, a land agency and the city's finance office."""

from __future__ import annotations

from dataclasses import dataclass

from envs.scenarios.offices import Office, Offices


@dataclass(frozen=True)
class PlanningV0(Offices):
    """Planning alone: who may build what and where, and how the city pays for itself.

    One board a district sets floor-area ratio and mix of uses; the land agency releases land
    for the whole city; the finance office sets property tax and debt, and whatever else planning
    holds. Residents move, developers build, rents clear.
    """

    block = "planning"
    offices = (
        Office(
            name="boards",
            goals=("rent_share", "floor_per_head"),
            levers=("far", "mix"),
            axis="district",
            agent="board",
            sees=("population", "income", "rent", "rent_share", "floor_per_head", "property_value"),
            costs=("displacement", "volatility"),
        ),
        Office(
            name="land",
            goals=("rent_share",),
            levers=("release",),
            costs=("displacement",),
        ),
        Office(
            name="finance",
            goals=("debt_ratio", "spending_met"),
            costs=("deficit",),
        ),
    )
