"""Scenarios of this package: one file each, named as the scenario.

This table is light on purpose: Gymnasium reads it in every program to get its ids.
"""

#: Group of entry points by which other packages offer scenarios.
ENTRY_POINTS = "polislab.scenarios"
#: Scenario -> its class in the module of the same name.
SCENARIOS: dict[str, str] = {
    "city_v0": "CityV0",
    "districts_v0": "DistrictsV0",
    "planning_v0": "PlanningV0",
    "industry_v0": "IndustryV0",
    "services_v0": "ServicesV0",
    "infrastructure_v0": "InfrastructureV0",
    "participation_v0": "ParticipationV0",
    "taxation_v0": "TaxationV0",
    "region_v0": "RegionV0",
}
