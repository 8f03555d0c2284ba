"""The report on free lunches, as sheets for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from experiments.neutral import (
    LIMIT,
    UNPROBED,
    Bound,
    Constant,
    LeverValue,
    Solved,
)
from experiments.sheets import Sheet

#: Settings of the best plan that earn less than this (percent of income) are summed up.
LEAST_SHARE = 0.005


@dataclass(frozen=True)
class Report:
    """What was found for one city; bounds and constant are empty unless asked for.

    months: simulated before the perpetuity; horizon: months that a plan is held.
    """

    city: str
    districts: int
    months: int
    horizon: int
    levers: Sequence[LeverValue]
    solved: Sequence[Solved]
    bounds: Sequence[Bound] = ()
    constant: Constant | None = None

    @property
    def neutral(self) -> bool:
        """No lever pays at the margin."""
        return all(row.passes for row in self.levers)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "limit": LIMIT, "neutral": self.neutral, "unprobed": UNPROBED}


def sheets(report: Report) -> list[Sheet]:
    """All tables of a report."""
    found = [_levers(report), _solved(report)]
    if report.bounds:
        found.append(_bounds(report))
    if report.constant is not None:
        found.append(_constant(report, report.constant))
    return found


def _levers(report: Report) -> Sheet:
    rows: list[tuple[str, ...]] = []
    governor = ""
    for row in report.levers:
        if row.governor != governor:
            governor = row.governor
            rows.append((f"held by {governor}:", *("" for _ in range(7))))
        values = (f"{value:+.1f}" for value in (row.welfare, row.cost, row.mechanical))
        ratios = (_ratio(row.benefit_cost), _ratio(row.public_value))
        rows.append((row.lever, row.counter, *values, *ratios, f"{row.residual:+.4f}{_mark(row)}"))
    worst = max((abs(row.residual) for row in report.levers if not row.one_sided), default=0.0)
    notes = (
        "W_u, R_u, C_u: present welfare, present public cost, and that cost without behaviour, of "
        "a permanent step of a hundredth of the lever's range, in millionths of the present value "
        "of income. BCR: benefit over mechanical cost. MVPF: marginal value of public funds over "
        "that of a rebate; left out where R_u is below a tenth of C_u. Both are left out for "
        "levers without a mechanical cost; their n_u counts against a tenth of income. n_u: "
        f"neutrality residual; {_MARKS}",
        f"Largest residual of a lever with room both ways: {worst:.4f}. "
        + ("No lever is a free lunch." if report.neutral else _not_neutral(report)),
        "Not in the table: " + "; ".join(f"{k} ({v})" for k, v in UNPROBED.items()) + ".",
    )
    columns = ("lever", "counter-effect", ">W_u", ">R_u", ">C_u", ">BCR", ">MVPF", ">n_u")
    title = f"Marginal values of the levers, {report.city}, {report.districts} districts"
    return Sheet(title, columns, rows, notes)


_MARKS = (
    f"* {LIMIT:g} or more, not neutral; 1 at its lower bound, may cost but must not pay; "
    "p pays because roads are over capacity (Pigouvian)."
)


def _mark(row: LeverValue) -> str:
    """One character beside a residual."""
    if not row.passes:
        return " *"
    if row.one_sided:
        return " p" if row.residual >= LIMIT else " 1"
    return "  "


def _not_neutral(report: Report) -> str:
    return "Not neutral: " + ", ".join(row.lever for row in report.levers if not row.passes) + "."


def _solved(report: Report) -> Sheet:
    rows: list[tuple[str, ...]] = []
    for row in report.solved:
        name = f"{row.parameter}[{row.cell}]" if row.cell else row.parameter
        mark = "outside" if row.outside else ""
        rows.append((name, f"{row.value:.4g}", row.published, mark, row.unit, row.lever))
    notes = ("Values are not clipped to their published ranges.",)
    columns = ("parameter", ">solved", "published", "", "unit", "so that neutral")
    return Sheet(f"Solved parameters, {report.city}", columns, rows, notes)


def _bounds(report: Report) -> Sheet:
    by_action: dict[str, dict[str, Bound]] = {}
    for bound in report.bounds:
        by_action.setdefault(bound.action, {})[bound.side] = bound
    rows = []
    for action, sides in by_action.items():
        cells = [action]
        for side in ("low", "high"):
            held = sides.get(side)
            cells += [f"{held.setting:g}", f"{held.gain:+.3f}"] if held else ["today", ""]
        rows.append(tuple(cells))
    best = max(report.bounds, key=lambda bound: bound.gain)
    notes = (
        f"Gain in percent of income for ever, the setting held for {report.horizon} months, all "
        "others as today, one treasury, steady city; then today's policy. targeting: weight of "
        "the lowest incomes.",
        f"Largest gain: {best.action} at {best.setting:g}, {best.gain:+.3f} %.",
    )
    columns = ("lever", ">low", ">gain %", ">high", ">gain %")
    return Sheet(f"Each lever alone at its bounds, {report.city}", columns, rows, notes)


def _constant(report: Report, found: Constant) -> Sheet:
    shown = [s for s in found.settings if abs(s.share) >= LEAST_SHARE]
    rest = [s.share for s in found.settings if abs(s.share) < LEAST_SHARE]
    rows: list[tuple[str, ...]] = [
        (s.action, f"{s.today:g}", f"{s.value:.4g}", s.unit, f"{s.raw:+.2f}", f"{s.share:+.3f}")
        for s in shown
    ]
    rows.append((f"{len(rest)} others", "", "", "", "", f"{sum(rest):+.3f}"))
    starts = " ".join(f"{gain:+.2f}" for gain in found.by_start)
    history = found.history
    notes = (
        f"Best gain {found.gain:+.3f} % of income for ever, {len(found.by_start)} starts, "
        f"{found.iterations} gradient steps each, held for {report.horizon} months; last gain of "
        f"each start: {starts}. "
        f"Best after half of the steps: {history[(len(history) - 1) // 2]:+.3f} %.",
        "Share: what the plan's gain loses if this lever alone goes back to today's setting; "
        "shares need not add up.",
    )
    columns = ("lever", ">today", ">plan", "unit", ">of its range", ">share %")
    return Sheet(f"Best constant policy, {report.city}", columns, rows, notes)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
