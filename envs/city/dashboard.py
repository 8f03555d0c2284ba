"""The full dashboard of a city: every row of the published standards that the model can compute.

The first rows are the indicators that governors observe (``envs.city.indicators``); the rows
here are shown and reported only, so that the state of the environments stays as it is (MODEL
section 18). Thresholds are those of the standards named beside them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.city import planning
from envs.city.indicators import INDICATORS, Formula, Indicator
from envs.city.model import City, CityState, Flows
from envs.city.sizes import EDUCATION, ENERGY_NAMES, SERVICE_NAMES

HEALTH, SAFETY, CULTURE = (SERVICE_NAMES.index(n) for n in ("health", "safety", "culture"))
HOMES = ENERGY_NAMES.index("homes")
#: Poverty line over the median income (Eurostat: at risk of poverty).
POVERTY_LINE = 0.6
#: Housing cost over income beyond which housing is not affordable (UN-Habitat, SDG 11.1.1).
OVERBURDEN = 0.3
#: Minutes within which services and jobs count as within reach (ITF, OECD & EC 2019).
SERVICE_MINUTES, CAR_MINUTES, TRANSIT_MINUTES = 15.0, 30.0, 45.0
#: Peak-hour traffic to a year: two peaks on 252 working days (MODEL section 23).
PEAKS_A_YEAR = 504
PER_100_000 = 100_000
HECTARES_A_KM2, M2_A_KM2 = 100, 1_000_000
CAPITAL_LINES = ("facilities", "road", "renewables", "retrofit")


def _people(f: Flows) -> Tensor:
    """Residents of districts ``[B, D]``."""
    return f.residents.people.sum(-1)


def _everyone(f: Flows) -> Tensor:
    """Residents ``[B]``."""
    return f.residents.people.sum((1, 2))


def _by_people(local: Tensor, f: Flows) -> Tensor:
    """Mean over residents ``[B]`` of a value of districts ``[B, D]``."""
    people = _people(f)
    return (local * people).sum(-1) / people.sum(-1)


def _local_and_mean(district: Formula) -> tuple[Formula, Formula]:
    """A row whose city value is the mean over residents of its district values."""
    return lambda c, s, f: _by_people(district(c, s, f), f), district


def _commercial(c: City, s: CityState, f: Flows) -> Tensor:
    """Value of work places ``[B, D]``, k$."""
    r, tax = f.residents, f.fiscal.policy["property_tax"]
    user = planning.user_cost(c.parameters, c.fundamentals.planning.work_user, r.work_growth, tax)
    return planning.price(r.work_rent, user) * r.work_floor


def _income_order(f: Flows) -> tuple[Tensor, Tensor]:
    """Disposable incomes of districts and types in rising order, and their people, ``[B, N]``."""
    income, people = f.income.disposable.flatten(1), f.residents.people.flatten(1)
    order = income.argsort(-1)
    return income.gather(-1, order), people.gather(-1, order)


def _poverty(c: City, s: CityState, f: Flows) -> Tensor:
    income, people = _income_order(f)
    reached = people.cumsum(-1) / people.sum(-1, keepdim=True)
    median = income.gather(-1, (reached < 0.5).sum(-1, keepdim=True))
    poor = (income < POVERTY_LINE * median).to(people)
    return (poor * people).sum(-1) / people.sum(-1)


def _gini(c: City, s: CityState, f: Flows) -> Tensor:
    """Twice the area between the Lorenz curve and equality."""
    income, people = _income_order(f)
    heads = people / people.sum(-1, keepdim=True)
    money = income * people
    share = money / money.sum(-1, keepdim=True)
    below = share.cumsum(-1) - share / 2
    return 1 - 2 * (heads * below).sum(-1)


def _housing_cost(c: City, s: CityState, f: Flows) -> Tensor:
    """Rents over disposable income ``[B, D]``."""
    money = (f.residents.people * f.income.disposable).sum(-1)
    return f.residents.home_rent * f.residents.home_floor / money


def _overburdened(c: City, s: CityState, f: Flows) -> Tensor:
    return _by_people((_housing_cost(c, s, f) > OVERBURDEN).to(f.residents.home_rent), f)


def _built(f: Flows) -> Tensor:
    """Land that is built on ``[B, D]`` km2."""
    return f.land.homes + f.land.works + f.land.facilities + f.land.roads


def _employment(c: City, s: CityState, f: Flows) -> Tensor:
    """Employed residents over residents ``[B]``; jobs over supply are those of the city."""
    rate = f.market.employed.sum((1, 2)) / (f.market.employed / f.market.rate).sum((1, 2))
    return f.commute.workers.sum((1, 2)) * rate / _everyone(f)


def _staff_of(service: int, s: CityState, f: Flows) -> Tensor:
    """Heads that a service employs ``[B, D]``."""
    heads = f.market.jobs / f.market.employed.sum(-1)
    return s.services.staff[..., service] * heads


def _staff(service: int) -> Formula:
    return lambda c, s, f: PER_100_000 * _staff_of(service, s, f).sum(-1) / _everyone(f)


def _places(service: int, heads: float) -> Formula:
    return lambda c, s, f: heads * s.services.facilities[..., service].sum(-1) / _everyone(f)


def _reach(minutes: Tensor, limit: float, places: Tensor) -> Tensor:
    """Share of ``places`` ``[B, D]`` within a time limit of each district ``[B, D]``."""
    near = (minutes <= limit).to(places)
    return torch.matmul(near, places.unsqueeze(-1)).squeeze(-1) / places.sum(-1, keepdim=True)


def _services_near(c: City, s: CityState, f: Flows) -> Tensor:
    """By the fastest mode, mean of the services."""
    fastest = torch.minimum(f.roads.car_time, f.roads.transit_time).minimum(c.geography.active_time)
    reached = [_reach(fastest, SERVICE_MINUTES, x) for x in s.services.facilities.unbind(-1)]
    return torch.stack(reached).mean(0)


def _jobs_by_car(c: City, s: CityState, f: Flows) -> Tensor:
    return _reach(f.roads.car_time, CAR_MINUTES, f.market.jobs)


def _jobs_by_transit(c: City, s: CityState, f: Flows) -> Tensor:
    return _reach(f.roads.transit_time, TRANSIT_MINUTES, f.market.jobs)


def _commuters(f: Flows, mode: str) -> Tensor:
    """Share of commuters who go by a mode ``[B]``."""
    going = {"car": f.commute.car, "transit": f.commute.transit}[mode]
    return going.sum((1, 2)) / f.commute.workers.sum((1, 2))


def _yearly_km(c: City, s: CityState, f: Flows) -> Tensor:
    """Vehicle-km a year of districts ``[B, D]``."""
    return PEAKS_A_YEAR * f.traffic.vehicle_km / c.parameters.bd.peak


def _flow() -> tuple[Formula, Formula]:
    """Traffic on a km of road over the first year's: city, districts."""

    def district(c: City, s: CityState, f: Flows) -> Tensor:
        first = c.fundamentals.infrastructure.vehicle_km
        ratio: Tensor = f.traffic.vehicle_km / first / f.roads.stock
        return ratio

    def city(c: City, s: CityState, f: Flows) -> Tensor:
        weight = f.traffic.vehicle_km
        return (district(c, s, f) * weight).sum(-1) / weight.sum(-1)

    return city, district


def _delay(c: City, s: CityState, f: Flows) -> Tensor:
    """Perceived over free-flow travel time, mean over traffic ``[B]``."""
    pace = s.infrastructure.pace / c.geography.roads.free_pace(c.parameters)
    return (pace * f.traffic.link_km).sum(-1) / f.traffic.link_km.sum(-1)


def _own(f: Flows) -> Tensor:
    return f.settlement.revenue - f.settlement.lines["grant"]


def _collected(c: City, s: CityState, f: Flows) -> Tensor:
    """Income and business tax paid over what is due on true bases."""
    policy, lines = f.fiscal.policy, f.settlement.lines
    due = (f.residents.people * f.income.gross).sum((1, 2)) * policy["income_tax"]
    due = due + (f.market.profit.sum(1) * policy["business_tax"]).sum(-1)
    tax = lines["property_tax"]
    return (lines["income_tax"] + lines["business_tax"] + tax) / (due + tax)


def _invested(c: City, s: CityState, f: Flows) -> Tensor:
    lines = f.settlement.lines
    return torch.stack([lines[name] for name in CAPITAL_LINES]).sum(0) / f.settlement.spending


_ROWS: tuple[Indicator, ...] = (
    Indicator("density", "persons/km2", 0, "planning", lambda c, s, f: _everyone(f) / c.geography.land.sum(-1), lambda c, s, f: _people(f) / c.geography.land, formula_text="residents / land"),
    Indicator("commercial_property", "share of value", 0, "planning", lambda c, s, f: _commercial(c, s, f).sum(-1) / f.value.property_value.sum(-1), lambda c, s, f: _commercial(c, s, f) / f.value.property_value, False, 0.02, formula_text="value of work places / value of all property", standard=("ISO 37120 5.2",)),
    Indicator("price_to_income", "years", -1, "planning", lambda c, s, f: (f.value.property_value - _commercial(c, s, f)).sum(-1) / (12 * (f.residents.people * f.income.disposable).sum((1, 2))), formula_text="value of homes / yearly disposable income", observed="house_price"),
    Indicator("housing_cost", "share of income", -1, "planning", *_local_and_mean(_housing_cost), False, 0.02, formula_text="rent × residential floor / disposable income, mean over residents", standard=("SDG 11.1.1",), proxy=True, observed="median_rent"),
    Indicator("overburdened", "share of residents", -1, "planning", _overburdened, None, False, 0.02, formula_text="residents of districts where housing costs more than 30 % of disposable income", standard=("SDG 11.1.1",), proxy=True),
    Indicator("jobs_housing", "jobs per home", 0, "planning", lambda c, s, f: f.market.jobs.sum(-1) * c.parameters.b.floor_home / f.residents.home_floor.sum(-1), lambda c, s, f: f.market.jobs * c.parameters.bd.floor_home / f.residents.home_floor, formula_text="jobs / (residential floor / first-year floor of one resident)", standard=("ISO 37120 19.4",), proxy=True, observed="dwellings"),
    Indicator("built_up", "m2/person", -1, "planning", lambda c, s, f: M2_A_KM2 * _built(f).sum(-1) / _everyone(f), lambda c, s, f: M2_A_KM2 * _built(f) / _people(f), formula_text="land under homes, work places, facilities and roads / residents", standard=("SDG 11.3.1",), proxy=True),
    Indicator("open_land", "share of land", 1, "planning", lambda c, s, f: f.land.free.sum(-1) / c.geography.land.sum(-1), lambda c, s, f: f.land.free / c.geography.land, False, 0.02, formula_text="free land / land", standard=("SDG 11.7.1",), proxy=True),
    Indicator("green_area", "ha per 100k", 1, "planning", lambda c, s, f: HECTARES_A_KM2 * PER_100_000 * f.land.free.sum(-1) / _everyone(f), formula_text="free land / residents", standard=("ISO 37120 19.1",), proxy=True),
    Indicator("employment", "share of residents", 1, "industry", _employment, None, False, 0.01, formula_text="workers × employed / labour supplied / residents", standard=("ISO 37120 5.4", "OECD well-being: jobs"), proxy=True),
    Indicator("poverty", "share of residents", -1, "industry", _poverty, None, False, 0.02, formula_text="residents (by district and type) below 60 % of the city's median disposable income", standard=("ISO 37120 5.3",), proxy=True),
    Indicator("gini", "index", -1, "industry", _gini, None, False, 0.02, formula_text="Gini coefficient of disposable income by district and type", standard=("OECD well-being: income",), proxy=True),
    Indicator("output_per_job", "k$/month", 1, "industry", lambda c, s, f: (f.market.sales.sum((1, 2)) + f.market.wages[..., -1].sum(-1)) / f.market.jobs.sum(-1), lambda c, s, f: (f.market.sales.sum(-1) + f.market.wages[..., -1]) / f.market.jobs, formula_text="(sales + public wages) / jobs", observed="gva_per_job"),
    Indicator("salary", "k$/person/month", 1, "industry", lambda c, s, f: (f.residents.people * f.income.gross).sum((1, 2)) / _everyone(f), lambda c, s, f: (f.residents.people * f.income.gross).sum(-1) / _people(f), formula_text="gross pay of residents / residents", observed="median_salary"),
    Indicator("businesses", "k$/person", 1, "industry", lambda c, s, f: f.market.capital.sum((1, 2)) / _everyone(f), formula_text="private capital / residents", standard=("ISO 37120 5.6",), proxy=True, observed="enterprises"),
    Indicator("patents", "index", 1, "industry", lambda c, s, f: torch.exp(s.industry.knowledge), None, True, 0.01, formula_text="exp(knowledge), first year 1", standard=("ISO 37120 5.7",), proxy=True),
    Indicator("pupils_per_teacher", "residents per staff", -1, "services", lambda c, s, f: _everyone(f) / _staff_of(EDUCATION, s, f).sum(-1), lambda c, s, f: _people(f) / _staff_of(EDUCATION, s, f), formula_text="residents / education staff", standard=("ISO 37120 6.4",), proxy=True),
    Indicator("hospital_capacity", "visits/month per 100k", 1, "services", _places(HEALTH, PER_100_000), formula_text="visits that health facilities can serve / residents", standard=("ISO 37120 12.2",), proxy=True),
    Indicator("health_staff", "staff per 100k", 1, "services", _staff(HEALTH), formula_text="health staff / residents", standard=("ISO 37120 12.3",), proxy=True),
    Indicator("police_staff", "staff per 100k", 1, "services", _staff(SAFETY), formula_text="safety staff / residents", standard=("ISO 37120 14.1",), proxy=True),
    Indicator("park_places", "visits/person/month", 1, "services", _places(CULTURE, 1), formula_text="visits that parks and culture can serve / residents", standard=("ISO 37120 13.2",), proxy=True),
    Indicator("services_near", "share of capacity", 1, "services", *_local_and_mean(_services_near), False, 0.02, formula_text="capacity of services within 15 minutes by the fastest mode / all capacity", standard=("OECD/ITF accessibility", "OECD well-being: access to services"), proxy=True),
    Indicator("unserved", "visits per 100k", -1, "services", lambda c, s, f: PER_100_000 * f.services.unserved / _everyone(f), None, False, 100.0, formula_text="visits a month beyond capacity / residents"),
    Indicator("jobs_by_car", "share of jobs", 1, "infrastructure", *_local_and_mean(_jobs_by_car), False, 0.02, formula_text="jobs within 30 minutes by car / all jobs, mean over residents", standard=("OECD/ITF accessibility",)),
    Indicator("jobs_by_transit", "share of jobs", 1, "infrastructure", *_local_and_mean(_jobs_by_transit), False, 0.02, formula_text="jobs within 45 minutes by transit (waiting counts double) / all jobs, mean over residents", standard=("OECD/ITF accessibility", "SDG 11.2.1"), proxy=True),
    Indicator("transit_use", "trips/person/year", 1, "infrastructure", lambda c, s, f: 12 * c.parameters.b.legs * f.traffic.ridership / _everyone(f), formula_text="12 × commute legs a month × commuters by transit / residents; commutes only", standard=("ISO 37120 18.3",), proxy=True),
    Indicator("without_car", "share of commuters", 1, "infrastructure", lambda c, s, f: 1 - _commuters(f, "car"), None, False, 0.02, formula_text="1 - commuters by car / commuters", standard=("ISO 37120 18.5",)),
    Indicator("by_transit", "share of commuters", 1, "infrastructure", lambda c, s, f: _commuters(f, "transit"), None, False, 0.02, formula_text="commuters by transit / commuters"),
    Indicator("driving", "km/person/year", -1, "infrastructure", lambda c, s, f: _yearly_km(c, s, f).sum(-1) / _everyone(f), lambda c, s, f: _yearly_km(c, s, f) / _people(f), formula_text="504 × peak-hour vehicle-km / peak share / residents", observed="vehicle_km"),
    Indicator("road_flow", "index", 0, "infrastructure", *_flow(), formula_text="vehicle-km / roads, first year 1; mean over traffic", observed="motor_vehicle_flow"),
    Indicator("delay", "ratio", -1, "infrastructure", _delay, None, False, 0.05, formula_text="perceived time a km / free-flow time a km, mean over traffic"),
    Indicator("roads_per_head", "index", 1, "infrastructure", lambda c, s, f: f.roads.stock.mean(-1) * c.fundamentals.infrastructure.people / _everyone(f), formula_text="mean road stock / residents, first year 1", observed="road_length"),
    Indicator("air", "index", -1, "infrastructure", *_local_and_mean(lambda c, s, f: f.traffic.pollution), formula_text="pollution index, mean over residents", standard=("SDG 11.6.2", "ISO 37120 8.1", "OECD well-being: environment"), proxy=True),
    Indicator("carbon", "t CO2/person/year", -1, "infrastructure", lambda c, s, f: 12 * f.energy.carbon.sum((1, 2)) / _everyone(f), lambda c, s, f: 12 * f.energy.carbon.sum(-1) / _people(f), formula_text="12 × carbon of homes, work places, industry and transport / residents", standard=("ISO 37120 8.3",), proxy=True, observed="ghg_per_head"),
    Indicator("energy", "MWh/person/year", -1, "infrastructure", lambda c, s, f: 12 * f.energy.use.sum((1, 2)) / _everyone(f), lambda c, s, f: 12 * f.energy.use.sum(-1) / _people(f), formula_text="12 × energy of all uses / residents", standard=("ISO 37120 7.5",), proxy=True),
    Indicator("home_energy", "MWh/person/year", -1, "infrastructure", lambda c, s, f: 12 * f.energy.use[..., HOMES].sum(-1) / _everyone(f), lambda c, s, f: 12 * f.energy.use[..., HOMES] / _people(f), formula_text="12 × energy of homes / residents", standard=("ISO 37120 7.1",), proxy=True, observed="electricity_per_meter"),
    Indicator("renewable", "share of energy", 1, "infrastructure", lambda c, s, f: f.energy.renewable, None, False, 0.02, formula_text="renewable energy / energy", standard=("ISO 37120 7.4",)),
    Indicator("public_spending", "k$/person/month", 0, "treasury", lambda c, s, f: f.settlement.spending / _everyone(f), formula_text="spending / residents", observed="spend_*"),
    Indicator("debt_service", "share of own revenue", -1, "treasury", lambda c, s, f: f.settlement.lines["interest"] / _own(f), None, False, 0.01, formula_text="interest / revenue without grant", standard=("ISO 37120 9.1",), proxy=True),
    Indicator("capital_spending", "share of spending", 0, "treasury", _invested, None, False, 0.02, formula_text="(facilities + roads + renewables + retrofit) / spending", standard=("ISO 37120 9.2",)),
    Indicator("own_revenue", "share of revenue", 1, "treasury", lambda c, s, f: _own(f) / f.settlement.revenue, None, False, 0.02, formula_text="1 - grant / revenue", standard=("ISO 37120 9.3",)),
    Indicator("tax_collected", "share of tax due", 1, "treasury", _collected, None, False, 0.01, formula_text="taxes paid / taxes due on true bases", standard=("ISO 37120 9.4",)),
)

DASHBOARD: dict[str, Indicator] = INDICATORS | {row.name: row for row in _ROWS}


def dashboard_values(city: City, state: CityState, flows: Flows) -> dict[str, Tensor]:
    """Every row of the dashboard for the whole city, ``[B]`` each, in its unit."""
    return {name: row.city(city, state, flows) for name, row in DASHBOARD.items()}
