"""infrastructure_v0: roads, transit, road pricing and energy, one office each."""

from __future__ import annotations

from dataclasses import dataclass

from envs.scenarios.offices import Office, Offices


@dataclass(frozen=True)
class InfrastructureV0(Offices):
    """Infrastructure alone: networks, what it costs to use them, and what they emit.

    The roads office builds and maintains, and holds whatever else infrastructure does; transit sets
    frequency and fare; pricing sets the cordon toll and the toll by kilometre; energy pays for
    renewables and retrofits.
    """

    block = "infrastructure"
    offices = (
        Office(name="roads", goals=("road_condition", "commute_time"), costs=("road_condition",)),
        Office(name="transit", goals=("transit_trips",), levers=("transit", "fare")),
        Office(
            name="pricing",
            goals=("congestion",),
            levers=("toll", "road_toll"),
            costs=("emissions",),
        ),
        Office(
            name="energy",
            goals=("emissions",),
            levers=("renewables", "retrofit"),
            costs=("emissions",),
        ),
    )
