"""The tables of the city model as sheets: parameters, levers, shocks, indicators, concepts.

The commands print them, and the pages in ``docs`` are written by the same functions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from textwrap import fill
from typing import Any

from envs.city.dashboard import DASHBOARD
from envs.city.dynamics import PRESETS
from envs.city.indicators import INDICATORS
from envs.city.levers import CITIZENS, GOVERNORS, LEVERS
from envs.city.measures.concepts import CONCEPTS
from envs.city.parameter_table import ASSUMED, Parameter
from envs.city.parameters import TABLE
from envs.city.shocks import EVENTS, SHOCKS
from envs.city.standards import NOT_COMPUTED, STANDARDS
from experiments.sheets import Sheet, markdown, number

BETTER = {1: "more", -1: "less", 0: ""}
#: What a parameter's value rests on, from firm to loose.
STATUS = {
    "checked": "compared with its source",
    "unchecked": "quoted from memory of the source",
    "assumed": "chosen by us",
    "solved": "the default is a start; the neutral prior sets the value city by city",
}


@dataclass(frozen=True)
class Page:
    """A page of documentation that one command writes.

    Attributes:
        command: words after ``polislab model``; title, opening: its head; sheets: its tables.
    """

    command: str
    title: str
    opening: str
    sheets: Sequence[Sheet]

    @property
    def file(self) -> str:
        """Where the page is kept."""
        return f"docs/model-{self.command}.md"

    def text(self) -> str:
        """The page as Markdown."""
        printed = f"Written by `polislab model {self.command} --markdown {self.file}`."
        return "\n\n".join(
            [f"# {self.title}", fill(self.opening, 100), printed, markdown(self.sheets, level=2)]
        )


def status(parameter: Parameter) -> str:
    """Key of ``STATUS``."""
    if parameter.solved:
        return "solved"
    if parameter.checked:
        return "checked"
    return "assumed" if parameter.source.startswith(ASSUMED) else "unchecked"


def parameters(block: str | None = None) -> Page:
    """Every parameter by the module that reads it."""
    chosen = [p for p in TABLE.values() if block in (None, p.block)]
    blocks = sorted({p.block for p in chosen}, key=[p.block for p in chosen].index)
    columns = ("parameter", "default", "=range", "=unit", "meaning", "source")
    found = []
    for name in blocks:
        rows = [_parameter(p) for p in chosen if p.block == name]
        found.append(Sheet(f"{name} ({len(rows)})", columns, rows, code=True))
    counted = Counter(status(p) for p in chosen)
    words = [f"{counted[key]} {key} ({text})" for key, text in STATUS.items() if counted[key]]
    return Page(
        "parameters",
        "Parameters of the city model",
        f"{len(chosen)} parameters: {'; '.join(words)}. Every number of the model that could be "
        "another is here; `polislab model neutral CITY` prints the values that were solved.",
        found,
    )


def _parameter(p: Parameter) -> tuple[str, ...]:
    name = f"{p.name}[{p.axis}]" if p.axis else p.name
    limits = f"{number(p.low)} to {number(p.high)}"
    said = status(p)
    source = p.source if p.source.startswith((said, "solved")) else f"{p.source} ({said})"
    return name, number(p.default), limits, p.unit, p.meaning, source


def levers() -> Page:
    """Every lever by who holds it."""
    columns = ("lever", "per", ">today", "=range", "unit", ">delay", "=kind", "counter-effect")
    found = []
    for governor in (*GOVERNORS, CITIZENS):
        held = [lever for lever in LEVERS.values() if lever.governor == governor]
        rows = [
            (
                lever.name,
                lever.shape.replace(",", ", ") or "city",
                number(lever.default),
                f"{number(lever.low)} to {number(lever.high)}",
                lever.unit + (" *" if lever.money else ""),
                number(lever.delay),
                lever.kind,
                lever.counter,
            )
            for lever in held
        ]
        found.append(Sheet(f"{governor} ({len(rows)})", columns, rows, code=True))
    sources = Counter(lever.source for lever in LEVERS.values())
    origin = "; ".join(f"{source} ({count})" for source, count in sources.items())
    return Page(
        "levers",
        "Levers of the city model",
        f"{len(LEVERS)} levers. Today's setting is the calibrated first year. A request moves at "
        "most a twelfth of the range a month, and the delay is the share of the remaining gap "
        "that takes effect each month (1: at once; capital levers are then built over years). "
        "*: in units of the default wage, scaled with the local wage. Source of bounds and "
        f"delays: {origin}.",
        found,
    )


def shocks() -> Page:
    """Shocks, the events that drive them, and the presets of the dynamics."""
    known = [
        (s.name, s.axis.replace(",", ", ") or "city", s.kind, s.unit, s.block, s.meaning)
        for s in SHOCKS.values()
    ]
    events = [
        (
            e.name,
            e.shock,
            number(e.size),
            SHOCKS[e.shock].unit,
            number(e.fade),
            "one district" if e.local else "all",
        )
        for e in EVENTS.values()
    ]
    strengths = tuple(field.name for field in fields(next(iter(PRESETS.values()))))
    presets = [
        (name, *(number(getattr(preset, strength)) for strength in strengths))
        for name, preset in PRESETS.items()
    ]
    found = [
        Sheet(
            f"shocks ({len(known)})",
            ("shock", "per", "=kind", "unit", "=read by", "meaning"),
            known,
            code=True,
        ),
        Sheet(
            f"events ({len(events)})",
            ("event", "shock", ">size", "unit", ">fades in months", "strikes"),
            events,
        ),
        Sheet(
            f"presets ({len(presets)})",
            ("preset", *(">" + strength.replace("_", " ") for strength in strengths)),
            presets,
            (
                "Trends: log points a year and their spread over rows. City and district: standard "
                "deviation of monthly innovations, with the persistence of a month. Crises: events "
                "in an episode.",
            ),
        ),
    ]
    return Page(
        "shocks",
        "Shocks of the city model",
        "What the world does to a city: levels drift from month to month, events strike and "
        "fade, noise is drawn anew each month in the stochastic mode. Sizes, fades and strengths "
        "are assumed.",
        found,
    )


def indicators(values: Mapping[str, float] | None = None, currency: str = "$") -> Page:
    """Every row of the dashboard by subsystem, with values of one city where given."""
    columns: tuple[str, ...] = ("indicator", "unit", "=better", "formula", "standard")
    if values is None:
        columns += ("observed as",)
    else:
        columns = ("indicator", ">value", "=unit", *columns[2:])
    found = []
    for subsystem in dict.fromkeys(row.subsystem for row in DASHBOARD.values()):
        rows: list[tuple[str, ...]] = []
        for row in DASHBOARD.values():
            if row.subsystem != subsystem:
                continue
            codes = "; ".join(("~ " if row.proxy else "") + code for code in row.standard)
            name = row.name + (" *" if row.name in INDICATORS else "")
            said = (row.unit.replace("$", currency), BETTER[row.better], row.formula_text, codes)
            if values is None:
                rows.append((name, *said, row.observed))
            else:
                rows.append((name, f"{values[row.name]:,.4g}", *said))
        found.append(Sheet(f"{subsystem} ({len(rows)})", columns, rows))
    answers = {
        code: [r.name for r in DASHBOARD.values() if code in r.standard] for code in STANDARDS
    }
    known = [(row.code, row.title, ", ".join(answers[row.code])) for row in STANDARDS.values()]
    unchecked = [row.code for row in STANDARDS.values() if not row.checked]
    origins = dict.fromkeys(row.source for row in STANDARDS.values())
    missing = "; ".join(f"{name}: {what}" for name, what in NOT_COMPUTED.items())
    found.append(
        Sheet(
            f"standards ({len(known)})",
            ("code", "asks for", "indicators"),
            known,
            (
                f"Codes and titles compared with: {'; '.join(origins)}. "
                f"Not compared: {', '.join(unchecked) or 'none'}.",
                f"The model holds nothing of: {missing}.",
            ),
        )
    )
    return Page(
        "indicators",
        "Indicators of the city model",
        f"{len(DASHBOARD)} indicators. *: governors observe it, and it is part of the "
        "environments' state. ~: the model holds something that stands in for what the standard "
        "asks for. Observed as: the series of a city package that it is compared with. Numbers of "
        "ISO 37120 are those of the first edition (2014); OECD well-being is the OECD's Regional "
        "Well-Being.",
        found,
    )


def concepts() -> Page:
    """The eight concepts, where each lives, and its measures."""
    where = [(f"{c.name} {c.chinese}", c.state, c.equation) for c in CONCEPTS]
    found = [Sheet("Where each lives", ("concept", "state", "equations (MODEL section)"), where)]
    for concept in CONCEPTS:
        rows = [(row.name, row.unit, row.meaning) for row in concept.measures]
        title = f"{concept.name} {concept.chinese}"
        found.append(Sheet(title, ("measure", "unit", "what it tells"), rows, code=True))
    return Page(
        "concepts",
        "The eight concepts of a complex adaptive city",
        "Where each concept lives in the model and what shows it; `polislab model measures CITY` "
        "prints the numbers.",
        found,
    )


def parameter_records(block: str | None = None) -> list[dict[str, Any]]:
    """Parameters for machines."""
    chosen = [p for p in TABLE.values() if block in (None, p.block)]
    return [asdict(p) | {"status": status(p)} for p in chosen]


def lever_records() -> list[dict[str, Any]]:
    """Levers for machines."""
    return [asdict(lever) | {"rate": lever.rate} for lever in LEVERS.values()]


def shock_records() -> dict[str, Any]:
    """Shocks, events and presets for machines."""
    return {
        "shocks": [asdict(shock) for shock in SHOCKS.values()],
        "events": [asdict(event) for event in EVENTS.values()],
        "presets": {name: asdict(preset) for name, preset in PRESETS.items()},
    }


def indicator_records(values: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Indicators for machines."""
    records = []
    for name, row in DASHBOARD.items():
        record = {
            "name": name,
            "unit": row.unit,
            "better": row.better,
            "subsystem": row.subsystem,
            "formula": row.formula_text,
            "standard": [asdict(STANDARDS[code]) for code in row.standard],
            "proxy": row.proxy,
            "observed": row.observed,
            "in_state": name in INDICATORS,
            "by_district": row.district is not None,
        }
        records.append(record if values is None else record | {"value": values[name]})
    return records


def concept_records() -> list[dict[str, Any]]:
    """Concepts for machines."""
    return [
        {
            "name": c.name,
            "chinese": c.chinese,
            "state": c.state,
            "equation": c.equation,
            "measures": [
                {"name": m.name, "unit": m.unit, "meaning": m.meaning} for m in c.measures
            ],
        }
        for c in CONCEPTS
    ]
