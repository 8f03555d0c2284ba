"""The reference figures beside ours, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiments.reference.figures import AT_MOST, FACTOR, FIGURES, GROUPS, Figure

#: Units of changes, which are printed with their sign.
_CHANGES = ("%", "points")
COMMAND = "polislab model reference --markdown docs/reference-figures.md"


@dataclass(frozen=True)
class Row:
    """A figure with ours beside it."""

    figure: Figure
    ours: float

    @property
    def ratio(self) -> float | None:
        """Ours over the reference."""
        return self.figure.ratio(self.ours)

    @property
    def differs(self) -> bool:
        """Of another sign, or beyond a factor of 1.5."""
        return self.figure.differs(self.ours)

    @property
    def unexplained(self) -> bool:
        """Differs, and no reason is written down."""
        return self.differs and not self.figure.reason

    def cells(self) -> tuple[str, str, str, str]:
        """Quantity, reference, ours, ratio as text."""
        figure, ratio = self.figure, self.ratio
        limit = "at most " if figure.kind == AT_MOST else ""
        sign = "+" if figure.unit in _CHANGES else ""
        form = f"{sign}.{figure.digits}f"
        unit = f" {figure.unit}" if figure.unit else ""
        ours = round(self.ours, figure.digits) + 0.0  # no minus before a zero
        return (
            figure.quantity,
            f"{limit}{figure.reference:{form}}{unit}",
            f"{ours:{form}}{unit}",
            "" if ratio is None else f"{round(ratio, 2) + 0.0:.2f}",
        )

    def record(self) -> dict[str, Any]:
        """For JSON."""
        figure = self.figure
        return {
            "group": figure.group,
            "quantity": figure.quantity,
            "unit": figure.unit,
            "kind": figure.kind,
            "reference": figure.reference,
            "ours": self.ours,
            "ratio": self.ratio,
            "differs": self.differs,
            "reason": figure.reason if self.differs else "",
        }


def compare(ours: Mapping[str, float]) -> list[Row]:
    """One row a figure, in the order of the table."""
    return [Row(figure, ours[figure.key]) for figure in FIGURES]


def summary(rows: list[Row]) -> str:
    """One sentence on all rows."""
    apart = [row for row in rows if row.differs]
    silent = [row for row in apart if row.unexplained]
    ending = (
        f"for {len(silent)} of them no reason is written down"
        if silent
        else "for each the reason is written down"
    )
    return (
        f"{len(rows) - len(apart)} of {len(rows)} figures have the study's sign and lie within a "
        f"factor of {FACTOR:g}; {len(apart)} do not, and {ending}."
    )


_HEAD = """# Reference figures

An independent numerical study of the same equations (MODEL section 20) beside this model, in the
study's setting: `--city study`, file [configs/city/study.yaml](../configs/city/study.yaml), one
synthetic city of 33 districts of about 9 km2 (seed 0), six household types, four sectors, float32.
Printed by

```sh
{command}
```

{summary} Such rows are in **bold**.

The usual cities differ from this setting on purpose (section 22); their behaviour is in
[stylised-facts.md](stylised-facts.md) and [no-free-lunches.md](no-free-lunches.md).
"""


def markdown(rows: list[Row]) -> str:
    """The page."""
    parts = [_HEAD.format(command=COMMAND, summary=summary(rows))]
    for group, (title, what) in GROUPS.items():
        mine = [row for row in rows if row.figure.group == group]
        lines = ["| | study | ours | ratio |", "|---|---:|---:|---:|"]
        for row in mine:
            cells = [f"**{x}**" if row.differs and x else x for x in row.cells()]
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join([f"## {title}", "", what, "", *lines]) + "\n")
        parts += [f"{text}\n" for text in _reasons(mine)]
    return "\n".join(parts)


def _reasons(rows: list[Row]) -> list[str]:
    """One line a reason, with every row that it speaks of."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if row.differs:
            text = row.figure.reason or "No reason is written down."
            by_reason.setdefault(text, []).append(row.figure.quantity)
    return [f"- *{'; '.join(names)}*: {text}" for text, names in by_reason.items()]
