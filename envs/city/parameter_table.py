"""Rows of the parameter table (see ``envs.city.parameters``)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from envs.city.kinds import SECTOR_TABLE, SERVICE_TABLE, column, shares
from envs.city.levers import BUDGET_LINES, LEVERS
from envs.city.sizes import (
    DODGE_NAMES,
    ENERGY_NAMES,
    EVADER_NAMES,
    MODE_NAMES,
    PRIVATE,
    PRIVATE_NAMES,
    SECTOR_NAMES,
    SERVICE_NAMES,
    SERVICES,
    TAG_NAMES,
    TYPE_NAMES,
)

ASSUMED = "assumed"
#: Axis of a parameter -> its entries, in the order of the values.
AXES: dict[str, tuple[str, ...]] = {
    "type": TYPE_NAMES,
    "sector": SECTOR_NAMES,
    "private": PRIVATE_NAMES,
    "tag": TAG_NAMES,
    "service": SERVICE_NAMES,
    "mode": MODE_NAMES,
    "use": ("homes", "work places", "facilities", "roads"),
    "emission": ("traffic", "industry", "buildings"),
    "energy": ENERGY_NAMES,
    "evader": EVADER_NAMES,
    "dodge": DODGE_NAMES,
    "budget": BUDGET_LINES,
}


@dataclass(frozen=True)
class Parameter:
    """One model parameter.

    Attributes:
        name: identifier used in the code and in configs.
        default: scalar, or one value per entry of ``axis``.
        low, high: accepted range, also the support of priors.
        unit: unit of the value.
        source: publication, or "assumed".
        meaning: what the parameter does.
        block: module that reads it.
        axis: "" for a scalar, else the key of ``AXES`` that it counts.
        checked: the value was compared with its source.
        solved: the neutral prior replaces the default, city by city.
    """

    name: str
    default: float | tuple[float, ...]
    low: float
    high: float
    unit: str
    source: str
    meaning: str
    block: str
    axis: str = ""
    checked: bool = False
    solved: bool = False

    def problems(self, value: Tensor) -> list[str]:
        """What is wrong with ``value``, in words; empty when it is in range."""
        low, high = (float(end) for end in value.detach().aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            return [f"parameter {self.name!r}: not finite, expected {self.low} to {self.high}"]
        if self.solved or (low >= self.low and high <= self.high):
            return []
        worst = low if low < self.low else high
        return [f"parameter {self.name!r}: {worst:g}, expected {self.low:g} to {self.high:g}"]


_ARSW = "Ahlfeldt, Redding, Sturm & Wolf 2015, Econometrica 83(6)"
_SPENT = tuple(lever.budget for lever in LEVERS.values() if lever.budget)
_BUDGET = (*_SPENT, round(1 - sum(_SPENT), 12))
_FIRMS = SECTOR_TABLE[:PRIVATE]
_BPR = "Bureau of Public Roads 1964"

_HOUSEHOLDS = (
    Parameter("eps", 6.83, 3, 8, "-", _ARSW, "Frechet scale of workplace choice", "industry", checked=True),
    Parameter("ke", 0.07, 0.05, 0.10, "1/min", _ARSW, "commuting semi-elasticity kappa*eps", "travel", checked=True),
    Parameter("kappa_w", 0.0134, 0.001, 0.03, "1/min", "solved by `polislab model minutes`: where roads are empty a unit raised by a toll is worth a unit of rebate forgone; above the .0102 at which people choose (Ahlfeldt et al. 2015)", "experienced value of a minute in welfare", "households", solved=True),
    Parameter("housing_share", 0.25, 0.20, 0.40, "share", _ARSW, "housing share of net income (1 - beta)", "planning", checked=True),
    Parameter("efficiency", (0.6, 0.8, 1.0, 1.2, 1.6, 2.2), 0.1, 5, "eff. units", ASSUMED, "labour efficiency by type", "travel", "type"),
    Parameter("gain_v", 0.08, 0.005, 0.3, "1/month", "Evans & Honkapohja 2001", "learning gain of residents", "planning"),
    Parameter("mu_r", 6.83, 3, 8, "-", "= eps", "scale of residence choice", "planning"),
    Parameter("size_floor", 1.0, 0.0, 1.0, "-", "McFadden 1978 (1: a district counts as its floor space); 0 in Ahlfeldt et al. 2015", "weight of log floor space in residence choice", "planning"),
    Parameter("mobility", 0.012, 0.004, 0.2, "1/month", "US CPS 10-14 %/yr", "hazard of moving within the city", "planning"),
    Parameter("chi", 0.02, 0.005, 0.05, "1/month", "Kennan & Walker 2011; Diamond 2016", "migration speed per log point", "planning"),
    Parameter("migration_bound", 0.25, 0.1, 1, "log points", ASSUMED, "tanh bound of the migration response", "planning"),
    Parameter("birth_rate", (0.013, 0.013, 0.012, 0.012, 0.011, 0.011), 0, 0.05, "1/yr", "assumed, near the crude birth rates of rich countries", "births per resident, into the parents' type", "demography", "type"),
    Parameter("death_rate", (0.011, 0.010, 0.009, 0.009, 0.008, 0.007), 0, 0.03, "1/yr", "assumed, near the crude death rates of rich countries", "deaths per resident", "demography", "type"),
    Parameter("rise", (0.030, 0.025, 0.020, 0.015, 0.010, 0.0), 0, 0.2, "1/yr", ASSUMED, "hazard of rising to the next household type", "demography", "type"),
    Parameter("fall", (0.0, 0.015, 0.020, 0.020, 0.020, 0.025), 0, 0.2, "1/yr", ASSUMED, "hazard of falling to the type below (age, misfortune)", "demography", "type"),
    Parameter("move_room", 1.25, 1, 3, "-", ASSUMED, "hazard of moving over what the change of a district's types needs, where it is raised", "demography"),
    Parameter("el_mobility", 0.5, 0, 2, "-", ASSUMED, "elasticity of rising to the quality of schools", "demography"),
    Parameter("foresight", (0.0, 0.05, 0.10, 0.15, 0.20, 0.25), 0, 1, "share", ASSUMED, "share of a type that looks ahead to announced policy", "planning", "type"),
    Parameter("household", 2.4, 1, 6, "persons", ASSUMED, "people who move as one", "planning"),
    Parameter("homophily", 0.0, 0.0, 0.5, "log points", "Schelling 1971; Brock & Durlauf 2001", "attraction to one's own type", "planning"),
    Parameter("eta_dens", 0.15, 0.0, 0.2, "-", _ARSW, "residential externality", "planning"),
    Parameter("dens_weight", 0.2, 0.0, 1, "-", ASSUMED, "weight of the own district in the residential externality", "planning"),
    Parameter("om_pol", 0.02, 0.0, 0.1, "log points", "Chay & Greenstone 2005", "utility loss per unit of pollution index", "planning"),
    Parameter("own_rents", 1.2, 0.0, 1.0, "share", "solved: neutral property tax", "share of land and floor quasi-rents that residents own", "welfare", solved=True),
    Parameter("own_profits", 0.3, 0.0, 1.0, "share", ASSUMED, "share of quasi-profits that residents own", "welfare"),
    Parameter("vot_share", 0.5, 0.3, 0.7, "wage", "Small & Verhoef 2007; Small 2012", "value of time relative to the wage", "travel"),
    Parameter("work_minutes", 9600.0, 6000, 12000, "min/month", ASSUMED, "minutes of work behind a monthly wage", "travel"),
    Parameter("legs", 42.0, 30, 46, "trips/month", ASSUMED, "commute legs a month (21 working days)", "travel"),
    Parameter("discount", 0.03, 0.01, 0.07, "1/yr", ASSUMED, "social discount rate", "valuation"),
    Parameter("income_least", 0.05, 0.01, 0.3, "share", ASSUMED, "least disposable income over net pay, whatever fees and taxes take", "households"),
    Parameter("income_sharp", 40.0, 10, 200, "-", ASSUMED, "sharpness of that limit", "households"),
    Parameter("consumption_least", 0.001, 1e-6, 0.05, "share", ASSUMED, "least consumption over the first year's that inequality-averse welfare counts", "welfare"),
    Parameter("cost_of_funds", 1.1, 1.0, 1.5, "-", ASSUMED, "value of a unit of public money over that of a rebate at which levers are neutral", "neutrality"),
    Parameter("grant_value", 1.1, 0.8, 1.5, "-", ASSUMED, "value of a rebate per unit of cost for which the grant per head is solved", "neutrality"),
    Parameter("regulation_base", 0.1, 0.01, 1, "share", ASSUMED, "share of income that stands for the cost of a regulation in its residual", "valuation"),
)

_PLANNING = (
    Parameter("eps_h", 1.75, 0.6, 4, "-", "Saiz 2010, QJE", "long-run floor supply elasticity", "planning"),
    Parameter("xi_h", 2.0, 0.5, 4, "-", "Topel & Rosen 1988; Mayer & Somerville 2000", "response of starts to price over cost", "planning"),
    Parameter("cap_h", 8.0, 2, 20, "-", ASSUMED, "largest starts, multiples of replacement", "planning"),
    Parameter("lag_h", 18.0, 9, 36, "months", "Census SOC 7-19 months + permits", "mean building lag (Erlang-3)", "planning"),
    Parameter("delta_h", 0.02, 0.01, 0.025, "1/yr", ASSUMED, "depreciation of floor space", "planning"),
    Parameter("eta_r", 0.10, 0.02, 0.3, "1/month", "rents adjust over about a year", "rent stickiness", "planning"),
    Parameter("gain_r", 0.03, 0.005, 0.1, "1/month", "Glaeser & Nathanson 2017", "gain of rent-growth expectations", "planning"),
    Parameter("momentum", 0.25, 0.0, 0.5, "-", "Glaeser & Nathanson 2017", "largest change of user cost through expectations", "planning"),
    Parameter("growth_scale", 0.03, 0.01, 0.1, "1/yr", ASSUMED, "growth at which expectations saturate", "planning"),
    Parameter("user_cost", 0.06, 0.03, 0.12, "1/yr", "Poterba 1984; Himmelberg, Mayer & Sinai 2005", "user cost of housing where prices are not observed", "calibration"),
    Parameter("floor_home", 30.0, 15, 60, "m2/resident", ASSUMED, "residential floor in the first year", "calibration"),
    Parameter("project", 2000.0, 100, 50000, "m2", ASSUMED, "floor space that is built as one project", "planning"),
    Parameter("land_use", (0.40, 0.15, 0.05, 0.15), 0.01, 0.9, "share", ASSUMED, "land under homes, work places, facilities and roads in the first year; the rest is free", "land", "use"),
    Parameter("floor_job", 25.0, 10, 60, "m2/job", ASSUMED, "commercial floor in the first year", "panel"),
    Parameter("om_far", -0.056, -1, 1, "log points", "solved: neutral prior", "disamenity of building density (log floor-area ratio)", "planning", solved=True),
    Parameter("om_release", 0.25, -2, 2, "log points", "solved: neutral prior", "loss of open space per share of land released", "planning", solved=True),
    Parameter("price_weight", 1.0, 0, 1, "-", ASSUMED, "weight of local prices in utility", "planning"),
    Parameter("zoning_friction", 0.05, 0, 1, "log points", ASSUMED, "loss per squared log change of floor-area ratio or zoning mix (non-conforming uses)", "planning"),
    Parameter("om_mix", 0.0035, -2, 2, "log points", "solved: neutral prior", "disamenity of tilting zoning away from today's mix", "planning", solved=True),
)

_INDUSTRY = (
    Parameter("wage_unit", 4.0, 0.1, 50, "k$/month", ASSUMED, "wage at which money levers are stated", "travel"),
    Parameter("wage", 4.0, 0.1, 50, "k$/month", ASSUMED, "wage per efficiency unit where nothing is observed", "panel"),
    Parameter("share_labour", column(_FIRMS, "share_labour"), 0.4, 0.8, "share", "Valentinyi & Herrendorf 2008", "labour share by private sector", "industry", "private"),
    Parameter("share_floor", column(_FIRMS, "share_floor"), 0.02, 0.2, "share", "Valentinyi & Herrendorf 2008", "floor share by private sector", "industry", "private"),
    Parameter("sector_jobs", shares(SECTOR_TABLE, "sector_jobs"), 0.01, 0.9, "share", ASSUMED, "jobs by sector where not observed", "panel", "sector"),
    Parameter("affinity_low", column(SECTOR_TABLE, "affinity_low"), 0, 5, "-", ASSUMED, "affinity of the least skilled type to each sector", "tags", "sector"),
    Parameter("affinity_high", column(SECTOR_TABLE, "affinity_high"), 0, 5, "-", ASSUMED, "affinity of the most skilled type to each sector", "tags", "sector"),
    Parameter("size_jobs", 1.0, 0.0, 1.0, "-", "McFadden 1978 (1: a workplace counts as its jobs); 0 in Ahlfeldt et al. 2015", "exponent of labour demand in the pull of a workplace", "industry"),
    Parameter("agglomeration", column(_FIRMS, "agglomeration"), 0.0, 0.15, "-", "Combes & Gobillon 2015; Melo, Graham & Noland 2009", "productivity-density elasticity", "industry", "private"),
    Parameter("decay_agg", 0.36, 0.2, 0.7, "1/min", _ARSW, "decay of production spillovers", "geography"),
    Parameter("local_time", 0.35, 0.1, 1, "share", ASSUMED, "local travel time over drive time between districts", "geography"),
    Parameter("sigma_x", 8.0, 4, 20, "-", "Broda & Weinstein 2006; Head & Mayer 2014", "export demand elasticity", "industry"),
    Parameter("rho_match", 13.5, 5, 40, "-", "den Haan, Ramey & Watson 2000", "sharpness of job matching (5 % frictional unemployment)", "industry"),
    Parameter("eta_w", 0.03, 0.01, 0.1, "1/month", "Blanchflower & Oswald 1994", "wage adjustment", "industry"),
    Parameter("gain_e", 0.3, 0.05, 1, "1/month", ASSUMED, "gain of job-finding beliefs", "industry"),
    Parameter("gain_f", 0.05, 0.005, 0.1, "1/month", "Milani 2007; Branch & Evans 2006", "gain of expected returns", "industry"),
    Parameter("eta_p", 0.05, 0.01, 0.2, "1/month", ASSUMED, "stickiness of local prices", "industry"),
    Parameter("gross_return", 0.015, 0.008, 0.03, "1/month", ASSUMED, "gross return on private capital", "panel"),
    Parameter("delta_k", 0.08, 0.05, 0.12, "1/yr", ASSUMED, "depreciation of private capital", "industry"),
    Parameter("psi_k", 2.0, 0.5, 4, "-", ASSUMED, "response of investment to return over cost", "industry"),
    Parameter("cap_k", 4.0, 2, 10, "-", ASSUMED, "largest investment, multiples of replacement", "industry"),
    Parameter("eps_k", 10.0, 2, 100, "-", ASSUMED, "elasticity of capital supply to the city", "industry"),
    Parameter("seed_k", 1e-6, 0, 1e-4, "1/month", ASSUMED, "entry of firms where a sector has died out", "industry"),
    Parameter("loc_share", 0.35, 0.25, 0.45, "share", ASSUMED, "non-tradable share of net income", "households"),
    Parameter("hw_a", 1.05, 0.9, 1.3, "-", "Harris & Wilson 1978; Ellam et al. 2018", "returns to size of retail", "industry"),
    Parameter("hw_b", 0.12, 0.05, 0.3, "1/min", "Harris & Wilson 1978; Ellam et al. 2018", "distance decay of shopping", "industry"),
    Parameter("road_crowding", 1.0, 0, 1, "-", ASSUMED, "exponent of population in the road index: 1 roads per head, 0 the total stock", "infrastructure"),
    Parameter("g_road", 0.02, -0.1, 0.3, "-", "Bom & Ligthart 2014: 0.08-0.2; solved: neutral prior", "output elasticity of roads per head", "industry", checked=True, solved=True),
    Parameter("el_research", 0.013, -0.1, 0.5, "-", "solved: neutral prior", "long-run output elasticity of R&D spending", "industry", solved=True),
    Parameter("el_training", 0.0234, -0.1, 0.5, "-", "solved: neutral prior", "long-run efficiency elasticity of training", "industry", solved=True),
    Parameter("rate_know", 0.01, 0.002, 0.05, "1/month", ASSUMED, "adjustment of knowledge and skills", "industry"),
    Parameter("el_business", (0.15,) * PRIVATE, -1, 2, "-", "Suarez Serrato & Zidar 2016; solved: neutral prior", "log productivity lost per log business net-of-tax rate", "industry", "private", solved=True),
    Parameter("lag_business", 60.0, 24, 120, "months", "Suarez Serrato & Zidar 2016", "lag of establishments' response to business tax", "industry"),
    Parameter("contact_trade", column(_FIRMS, "contact_trade"), 0, 1, "log points", ASSUMED, "productivity lost by private sector where all contact is avoided", "industry", "private"),
    Parameter("tag_low", (0.0, 1.0, 0.8, 0.5), -5, 5, "-", ASSUMED, "tags of the least skilled type: schooling, craft, service, civic", "tags", "tag"),
    Parameter("tag_high", (1.0, 0.0, 0.2, 0.5), -5, 5, "-", ASSUMED, "tags of the most skilled type", "tags", "tag"),
    *(Parameter(f"tag_{row.name}", row.tags, -5, 5, "-", ASSUMED, f"tags of the {row.name} sector", "tags", "tag") for row in SECTOR_TABLE),
    Parameter("kin_focus", 1e5, 0, 1e6, "-", ASSUMED, "how fast kinship fades with the distance of tags; at the default only one's own kind counts", "tags"),
    Parameter("tag_reach", 0.02, 0.002, 0.5, "-", ASSUMED, "drift of the city's tags per log of spending on talent", "tags"),
    Parameter("tag_pull", 1.0, 0, 5, "-", ASSUMED, "gain from moving in that recruiting promises a type, per unit of its match with the drift", "tags"),
    Parameter("rate_tag", 0.01, 0.002, 0.05, "1/month", ASSUMED, "gain of the drift of tags", "tags"),
    Parameter("tag_distance", 0.25, 0.01, 10, "-", ASSUMED, "distance of the tags of two cities of a region at which a third of what one knows is of use to the other", "exchange"),
    Parameter("mutation", 0.0, 0, 1, "-", ASSUMED, "drift of tags towards sectors that pay more, per log point of pay", "tags"),
    Parameter("el_talent", 0.01, -0.1, 0.5, "-", "solved: neutral prior", "long-run productivity elasticity of knowledge services to talent policy", "tags", solved=True),
)

_SERVICES = (
    Parameter("om_service", column(SERVICE_TABLE, "om_service"), -0.2, 0.5, "log points", "Black 1999; Gibbons & Machin 2008; solved: neutral prior", "utility of log service quality", "services", "service", solved=True),
    Parameter("prox_weight", 0.3, 0, 1, "-", ASSUMED, "weight of proximity beside quality", "services"),
    Parameter("visits", column(SERVICE_TABLE, "visits"), 0.001, 2, "visits/month", ASSUMED, "need per resident", "services", "service"),
    Parameter("decay_access", 0.05, 0.01, 0.2, "1/min", "Luo & Wang 2003; Luo & Qi 2009", "unit of the distance decay of services", "services"),
    Parameter("max_access", 6.0, 4, 10, "min/km", ASSUMED, "slowest access to a service (walking)", "services"),
    Parameter("rho_access", 8.0, 2, 20, "-", ASSUMED, "sharpness of the choice of access", "services"),
    Parameter("rho_capacity", 8.0, 2, 20, "-", ASSUMED, "complementarity of staff and facilities", "services"),
    Parameter("w_facility", (0.33,) * SERVICES, 0.001, 0.999, "share", "solved: neutral prior", "CES weight of facilities in capacity", "services", "service", solved=True),
    Parameter("utilisation", 0.85, 0.5, 0.95, "-", ASSUMED, "utilisation in the first year", "calibration_public"),
    Parameter("knee", 0.9, 0.7, 1.2, "-", ASSUMED, "utilisation at which quality drops", "services"),
    Parameter("power_queue", 4.0, 2, 8, "-", ASSUMED, "steepness of the queue", "services"),
    Parameter("top_quality", 1.6, 1, 2, "-", ASSUMED, "quality without queues", "services"),
    Parameter("gain_q", 0.15, 0.02, 0.5, "1/month", ASSUMED, "gain of perceived quality", "services"),
    Parameter("fee_semi", 8.0, 1, 20, "1/k$", ASSUMED, "semi-elasticity of visits to fees (at the default wage)", "services"),
    Parameter("om_fee", (0.06,) * SERVICES, -5, 5, "log points", "solved: neutral prior", "welfare weight of needs that fees leave unmet", "services", "service", solved=True),
    Parameter("power_access", column(SERVICE_TABLE, "power_access"), 1, 8, "-", "Luo & Wang 2003", "distance decay by service, multiples of decay_access", "services", "service"),
    Parameter("contact_visits", column(SERVICE_TABLE, "contact_visits"), -1, 1, "log points", ASSUMED, "change of need by service in a pandemic", "services", "service"),
    Parameter("staff_split", shares(SERVICE_TABLE, "staff_split"), 0.01, 0.9, "share", ASSUMED, "public staff by service", "calibration_public", "service"),
    Parameter("staff_by_home", 0.6, 0, 1, "share", ASSUMED, "share of staff placed by residents, the rest by jobs", "panel"),
    Parameter("staff_most", 0.6, 0.2, 0.9, "share", ASSUMED, "largest share of a district's jobs that is public staff", "panel"),
    Parameter("rate_staff", 0.1, 0.02, 0.5, "1/month", ASSUMED, "speed of hiring", "services"),
    Parameter("delta_fac", 0.04, 0.02, 0.06, "1/yr", ASSUMED, "depreciation of facilities", "services"),
    Parameter("lag_fac", 24.0, 12, 48, "months", ASSUMED, "mean building lag of facilities", "services"),
    Parameter("co_reach", (0.2, 0.26, 0.4, 0.38), 0, 2, "share", "assumed: the first hour, given everywhere, is worth about what it costs residents", "most that residents' time adds to the capacity of a service", "services", "service"),
    Parameter("co_half", 3.0, 0.2, 20, "hours/month", ASSUMED, "residents' time for each person served at which half of that is reached", "services"),
    Parameter("co_time", 0.00625, 0.001, 0.05, "log points", "assumed: an hour at vot_share of the wage, 160 hours behind a monthly wage, two residents a worker", "utility lost per hour a month that a resident gives", "services"),
)

_INFRASTRUCTURE = (
    Parameter("free_speed", 35.0, 15, 60, "km/h", ASSUMED, "free-flow speed", "roads"),
    Parameter("detour", 1.3, 1.1, 1.6, "-", ASSUMED, "road over straight-line distance", "geography"),
    Parameter("bpr_alpha", 0.15, 0.1, 1, "-", _BPR, "congestion level", "roads", checked=True),
    Parameter("bpr_beta", 4.0, 2, 6, "-", _BPR, "congestion power", "roads", checked=True),
    Parameter("vc_cap", 4.0, 2, 8, "-", ASSUMED, "soft cap of volume over capacity", "roads"),
    Parameter("vc_power", 8.0, 4, 16, "-", ASSUMED, "sharpness of that cap", "roads"),
    Parameter("vc", 0.9, 0.2, 1.6, "-", "TomTom/INRIX congestion index 1.3-1.6", "volume over capacity in the first year", "infrastructure"),
    Parameter("route_scale", 0.5, 0.05, 200, "1/min", ASSUMED, "logit scale of the choice of a route on a link network", "roads"),
    Parameter("gain_tau", 0.2, 0.05, 0.6, "1/month", "stability bound of the day-to-day process", "gain of perceived travel times", "infrastructure"),
    Parameter("occupancy", 1.3, 1, 2, "persons/car", "NHTS", "car occupancy", "travel"),
    Parameter("peak", 0.5, 0.2, 1, "1/h", "NHTS", "share of commuters in the peak hour", "infrastructure"),
    Parameter("nonwork", 0.8, 0, 2, "-", "NHTS", "non-work traffic over commute traffic", "infrastructure"),
    Parameter("nonwork_el", 1.0, 0, 1.5, "-", "Goodwin 1996", "elasticity of non-work traffic to time", "infrastructure"),
    Parameter("freight", 0.05, 0, 0.3, "share", ASSUMED, "freight share of traffic", "infrastructure"),
    Parameter("car_cost", 0.25e-3, 0.05e-3, 1e-3, "k$/km", ASSUMED, "operating cost of a car", "travel"),
    Parameter("transit_access", 8.0, 3, 15, "min", ASSUMED, "access and egress", "geography"),
    Parameter("transit_pace", 2.5, 1, 4, "min/km", ASSUMED, "in-vehicle time", "geography"),
    Parameter("active_pace", 6.0, 3, 12, "min/km", ASSUMED, "walking and cycling", "geography"),
    Parameter("mode_constant", (0.0, -0.6, -0.2), -3, 3, "-", ASSUMED, "constants of car, transit, active", "travel", "mode"),
    Parameter("wait_weight", 2.0, 1.5, 2.5, "-", "Wardman 2004", "weight of waiting time", "infrastructure"),
    Parameter("frequency", 8.0, 2, 30, "veh/h", ASSUMED, "service frequency in the first year", "infrastructure"),
    Parameter("crowding", 0.15, 0, 0.5, "-", "Li & Hensher 2011", "crowding penalty", "infrastructure"),
    Parameter("gain_crowd", 0.3, 0.05, 1, "1/month", ASSUMED, "gain of perceived crowding", "infrastructure"),
    Parameter("contact_transit", 1.0, 0, 4, "share", ASSUMED, "extra disutility of shared vehicles where all contact is avoided", "infrastructure"),
    Parameter("contact_trips", 0.5, 0, 2, "log points", ASSUMED, "other trips forgone where all contact is avoided", "infrastructure"),
    Parameter("rate_transit", 0.05, 0.02, 0.3, "1/month", ASSUMED, "speed of changes in frequency", "infrastructure"),
    Parameter("om_transit", 0.09, -0.1, 0.2, "log points", "solved: neutral prior", "value of frequency to trips other than commutes", "planning", solved=True),
    Parameter("om_fare", -0.23, -20, 20, "-", "solved: neutral prior", "welfare weight of trips other than commutes that fares price out", "planning", solved=True),
    Parameter("delta_g", 0.05, 0.025, 0.06, "1/yr", "Kamps 2006", "depreciation of public capital", "infrastructure"),
    Parameter("lag_g", 36.0, 24, 84, "months", "Leeper, Walker & Yang 2010", "time to build roads and plants", "infrastructure"),
    Parameter("wear_fixed", 0.8, 0.5, 1, "share", "AASHTO (load-dependent share)", "share of wear that does not depend on load", "infrastructure"),
    Parameter("cond_speed", 0.347, -0.5, 0.9, "share", "solved: neutral prior", "share of free speed that depends on road condition", "infrastructure", solved=True),
    Parameter("cap_upkeep", 3.0, 1.5, 10, "-", ASSUMED, "largest effect of maintenance, multiples of baseline", "infrastructure"),
    Parameter("cond_capacity", 0.5, 0, 0.9, "share", ASSUMED, "share of capacity that depends on road condition", "infrastructure"),
    Parameter("rate_pol", 0.5, 0.1, 1, "1/month", ASSUMED, "adjustment of pollution", "infrastructure"),
    Parameter("decay_pol", 0.3, 0.05, 1, "1/km", ASSUMED, "dispersion of pollution", "geography"),
    Parameter("emission_split", (0.40, 0.35, 0.25), 0, 1, "share", ASSUMED, "emissions of traffic, industry, buildings", "infrastructure", "emission"),
    Parameter("energy_use", (0.0125, 0.0167, 0.3, 0.0008), 0, 5, "MWh/m2/month, MWh/m2/month, MWh/k$, MWh/km", "assumed: 150 and 200 kWh/m2 a year, 0.3 kWh per unit of sales, 0.8 kWh/km", "energy of homes, workplaces, industry and transport", "energy", "energy"),
    Parameter("carbon", (0.20, 0.22, 0.25, 0.25), 0, 1, "t/MWh", "assumed, near the factors of gas, oil and a fossil grid", "CO2 of energy that is not renewable, by use", "energy", "energy"),
    Parameter("renewable", 0.2, 0.01, 0.95, "share", ASSUMED, "renewable share of energy in the first year", "energy"),
    Parameter("grid_load", 0.8, 0.3, 1.2, "-", ASSUMED, "energy use over capacity of the grid in the first year", "energy"),
    Parameter("grid_renewable", 0.01, 0, 1, "share", "assumed small: the city's own plants", "share of the grid's capacity that clean capital makes up", "energy"),
    Parameter("grid_price", 0.3, 0, 2, "-", ASSUMED, "price rise where use reaches capacity", "energy"),
    Parameter("grid_power", 4.0, 2, 8, "-", ASSUMED, "steepness of that rise", "energy"),
    Parameter("fuel_energy", 0.5, 0, 1, "share", ASSUMED, "energy price that follows the price of fuel", "energy"),
    Parameter("om_energy", 0.05, 0, 0.15, "share", "assumed, near the share of energy in household budgets", "utility lost per log price of energy", "planning"),
    Parameter("el_renewables", 0.252, -2, 2, "-", "solved: neutral prior", "elasticity of industrial emissions to clean-energy capital", "infrastructure", solved=True),
    Parameter("el_retrofit", 0.36, -2, 2, "-", "solved: neutral prior", "elasticity of building emissions to retrofit capital", "infrastructure", solved=True),
)

_TREASURY = (
    Parameter("ev_cost", 0.6, 0.2, 2, "-", "Slemrod 2001", "quadratic cost of concealment", "evasion"),
    Parameter("ev_max", 0.5, 0.2, 0.9, "share", ASSUMED, "largest evaded share", "evasion"),
    Parameter("ev_sharp", 20.0, 5, 5000, "-", ASSUMED, "sharpness of the evasion corner", "evasion"),
    Parameter("detection", 4.0, 1, 10, "-", ASSUMED, "detection per perceived audit probability", "evasion"),
    Parameter("penalty", 1.0, 0.2, 2, "-", "Allingham & Sandmo 1972", "fine over evaded tax", "evasion"),
    Parameter("rate_ev", 0.1, 0.02, 0.5, "1/month", ASSUMED, "adjustment of evasion", "treasury"),
    Parameter("gain_audit", (0.05, 0.05, 0.1, 0.1, 0.05), 0.01, 0.3, "1/month", ASSUMED, "gain of the audit probability that taxpayers, firms, drivers, passengers and claimants perceive", "treasury", "evader"),
    Parameter("dodge_cost", (0.27, 0.8, 0.3, 0.15), 0.05, 100, "-", ASSUMED, "cost of concealment: false tags of firms, false plates, riding without a ticket, false tags of residents", "evasion", "dodge"),
    Parameter("dodge_max", (0.6, 0.3, 0.15, 0.4), 0.01, 0.9, "share", ASSUMED, "largest share of subsidies, tolls, fares and claims that is dodged", "evasion", "dodge"),
    Parameter("tolled_km", 8.0, 1, 30, "km", ASSUMED, "drive on tolled roads that the owner of a false plate has in mind, a leg", "evasion"),
    Parameter("least_claim", 0.005, 0.0005, 0.05, "share", ASSUMED, "gain over pay, or log gain in weight, below which a false tag is not worth the trouble", "evasion"),
    Parameter("trust", 0.5, 0, 2, "-", "assumed; reciprocity: Luttmer & Singhal 2014, Journal of Economic Perspectives 28(4)", "elasticity of the cost of concealment to what the city delivers of the services it planned", "treasury"),
    Parameter("compliance", -0.019, -1, 2, "log points", "solved: neutral prior", "burden of an audit probability of one, share of income", "households", solved=True),
    Parameter("el_hours", 0.15, 0, 0.5, "-", "Saez, Slemrod & Giertz 2012 (ETI 0.12-0.40)", "elasticity of taxable labour to the net-of-tax rate", "industry"),
    Parameter("delay_common", 0.2, 0.02, 1, "1/month", ASSUMED, "share of the gap between a lever and its request that takes effect each month, where levers share one delay", "model"),
    Parameter("delay_weight", 0.0, 0, 1, "-", ASSUMED, "0 each lever has its own delay, 1 all have the common one", "model"),
    Parameter("rate_limit", 1.0, 0, 1, "-", "MODEL section 6 at 1; below it, a study without delay", "how far the largest change a month of a lever binds: 1 as its rate says, 0 not at all", "model"),
    Parameter("interest", 0.0025, 0, 0.01, "1/month", ASSUMED, "interest on debt", "treasury"),
    Parameter("spread", 0.001, 0, 0.01, "1/month", ASSUMED, "extra interest on positive debt", "treasury"),
    Parameter("rate_debt", 0.02, 0.005, 0.1, "1/month", ASSUMED, "speed of the debt rule", "treasury"),
    Parameter("scale_low", 0.05, 0.01, 0.5, "-", ASSUMED, "least that is paid of what is requested", "treasury"),
    Parameter("scale_high", 1.0, 1.0, 2.0, "-", ASSUMED, "most that is paid of what is requested; a surplus beyond it is a dividend", "treasury"),
    Parameter("budget_sharp", 20.0, 5, 100, "-", ASSUMED, "sharpness of the lower limit of the budget and of the spread on debt", "treasury"),
    Parameter("rho_scale", 100.0, 20, 400, "-", ASSUMED, "sharpness of the budget limit", "treasury"),
    Parameter("grant_per_head", 0.753, 0, 4, "share", "solved: value of public funds 1.10", "grant that follows a resident, over average spending per head", "treasury", solved=True),
    Parameter("budget_share", _BUDGET, 0.001, 0.95, "share", "composition: London boroughs' outturn 2013-2015 plus a metropolitan transport tier; talent assumed", "share of the city's spending by line: the levers of ``BUDGET_LINES``, then fixed spending", "treasury", "budget"),
    Parameter("grant_earnings", 0.6, -2, 3, "share", "solved: neutral prior", "share of that grant that follows earning power rather than heads (tax sharing)", "treasury", solved=True),
    Parameter("audit_cost", 0.05, 0, 1, "share", ASSUMED, "cost of an audit probability of one, share of revenue", "treasury"),
)

_INFORMATION = (
    Parameter("undercount", 0.05, 0, 0.2, "share", "MODEL section 7, assumed", "share of low-income residents that population figures miss", "information"),
    Parameter("voice", (0.5, 0.7, 0.9, 1.1, 1.3, 1.5), 0.1, 3, "-", "assumed; rises with income as in Verba, Schlozman & Brady 1995", "complaints made per complaint felt, by type", "information", "type"),
)

ROWS: tuple[Parameter, ...] = (
    *_HOUSEHOLDS,
    *_PLANNING,
    *_INDUSTRY,
    *_SERVICES,
    *_INFRASTRUCTURE,
    *_TREASURY,
    *_INFORMATION,
)
TABLE: dict[str, Parameter] = {p.name: p for p in ROWS}
