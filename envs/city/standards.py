"""Published indicator standards that the dashboard refers to: code, title, where it was checked.

A row of the dashboard names the codes that it answers; ``proxy`` there says that the model
holds something that stands in for what the standard asks for. Numbers of ISO 37120 are those of
the first edition (2014); "OECD well-being" is the OECD's Regional Well-Being.
"""

from __future__ import annotations

from dataclasses import dataclass

_ISO = "ISO 37120"
_SDG = "SDG"
_WELL_BEING = "OECD well-being"
_ISO_SOURCE = "ISO 37120 ontology of the University of Toronto; contents page of the first edition"
_SDG_SOURCE = "UN-Habitat and UNSD metadata of the indicator"
_OECD_SOURCE = "OECD pages on Regional Well-Being"
_ITF_SOURCE = "ITF, OECD & European Commission 2019, Benchmarking Accessibility in Cities"


@dataclass(frozen=True)
class Standard:
    """One indicator of a standard.

    Attributes:
        code: as rows of the dashboard name it; title: what the standard asks for.
        source: where code and title were compared; checked: that they were.
    """

    code: str
    title: str
    source: str
    checked: bool = True


def _iso(number: str, title: str) -> Standard:
    return Standard(f"{_ISO} {number}", title, _ISO_SOURCE)


def _sdg(number: str, title: str) -> Standard:
    return Standard(f"{_SDG} {number}", title, _SDG_SOURCE)


def _well_being(topic: str, title: str) -> Standard:
    return Standard(f"{_WELL_BEING}: {topic}", title, _OECD_SOURCE)


STANDARDS: dict[str, Standard] = {
    row.code: row
    for row in (
        _iso("5.1", "City's unemployment rate"),
        _iso("5.2", "Assessed value of commercial and industrial properties, share of all"),
        _iso("5.3", "Population living in poverty"),
        _iso("5.4", "Persons in full-time employment"),
        _iso("5.6", "Businesses per 100 000 population"),
        _iso("5.7", "New patents per 100 000 population per year"),
        _iso("6.4", "Primary education student/teacher ratio"),
        _iso("7.1", "Residential electrical energy use per capita"),
        _iso("7.4", "Energy from renewable sources, share of total energy consumption"),
        _iso("7.5", "Total electrical energy use per capita"),
        _iso("8.1", "Fine particulate matter (PM2.5) concentration"),
        _iso("8.3", "Greenhouse gas emissions in tonnes per capita"),
        _iso("9.1", "Debt service, share of own-source revenue"),
        _iso("9.2", "Capital spending, share of total expenditures"),
        _iso("9.3", "Own-source revenue, share of total revenues"),
        _iso("9.4", "Tax collected, share of tax billed"),
        _iso("12.2", "In-patient hospital beds per 100 000 population"),
        _iso("12.3", "Physicians per 100 000 population"),
        _iso("13.2", "Public outdoor recreation space per capita"),
        _iso("14.1", "Police officers per 100 000 population"),
        _iso("18.3", "Annual number of public transport trips per capita"),
        _iso("18.5", "Commuters using a travel mode other than a personal vehicle"),
        _iso("19.1", "Green area (hectares) per 100 000 population"),
        _iso("19.4", "Jobs/housing ratio"),
        _sdg("11.1.1", "Urban population in slums, informal settlements or inadequate housing"),
        _sdg("11.2.1", "Population with convenient access to public transport"),
        _sdg("11.3.1", "Land consumption rate over population growth rate"),
        _sdg("11.6.2", "Annual mean fine particulate matter in cities, population weighted"),
        _sdg("11.7.1", "Share of the built-up area that is open space for public use"),
        _well_being("income", "Disposable household income per capita"),
        _well_being("jobs", "Employment and unemployment rate"),
        _well_being("housing", "Rooms per person"),
        _well_being("health", "Life expectancy"),
        _well_being("education", "Education of the workforce"),
        _well_being("environment", "Exposure to PM2.5"),
        _well_being("safety", "Homicide rate"),
        _well_being("access to services", "Households with broadband"),
        Standard(
            "OECD/ITF accessibility",
            "Destinations that can be reached within a given time, by mode",
            _ITF_SOURCE,
        ),
    )
}

#: What these standards ask for and the model holds nothing of.
NOT_COMPUTED: dict[str, str] = {
    "ISO 37120, whole themes": "fire and emergency response, governance, solid waste, "
    "telecommunication, wastewater, water and sanitation",
    "SDG 11": "11.4.1 heritage spending, 11.5.1 disasters, 11.6.1 solid waste, "
    "11.7.2 harassment, 11.a.1 and 11.b.1 plans",
    "OECD well-being": "civic engagement, community, life satisfaction",
}
