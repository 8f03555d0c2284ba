"""The result of one check, in figures for machines and in words for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

_INITIALS = {"gva": "GVA", "ghg": "GHG", "pi": "PI"}

Status = Literal["pass", "fail", "untested"]
Unit = Literal["share", "number"]


@dataclass(frozen=True)
class Measure:
    """One figure behind a check, with its interval and the range that it has to lie in."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    least: float | None = None  # passes from here ...
    most: float | None = None  # ... to here
    status: Status = "pass"


@dataclass(frozen=True)
class Check:
    """One check: what was found, what was asked, and one sentence a city official understands."""

    number: int
    name: str
    status: Status
    statistic: float | None
    threshold: float | None
    explanation: str
    figure: str = ""  # the statistic in words, with its unit
    requirement: str = ""  # the threshold in words
    measures: tuple[Measure, ...] = ()
    unit: Unit = "number"  # of the measures: a share is printed in per cent
    variables: Mapping[str, Status] = field(default_factory=dict)  # checks 3 and 4
    decisive: tuple[str, ...] = ()  # variables that the policy's effect runs through

    def fails_for_the_decision(self) -> bool:
        """True where the check fails for a variable that the decision hinges on."""
        if self.variables:
            return any(self.variables.get(name) == "fail" for name in self.decisive)
        return self.status == "fail"

    def to_json(self) -> dict[str, Any]:
        """Plain values; figures that are not finite become null."""
        return {
            "number": self.number,
            "name": self.name,
            "status": self.status,
            "statistic": finite(self.statistic),
            "threshold": finite(self.threshold),
            "explanation": self.explanation,
            "figure": self.figure,
            "requirement": self.requirement,
            "variables": dict(self.variables),
            "measures": [
                {
                    "label": measure.label,
                    "value": finite(measure.value),
                    "low": finite(measure.low),
                    "high": finite(measure.high),
                    "least": finite(measure.least),
                    "most": finite(measure.most),
                    "status": measure.status,
                }
                for measure in self.measures
            ],
        }


def finite(value: float | None) -> float | None:
    """The value as a plain float, or None where it is missing or not finite."""
    return float(value) if value is not None and math.isfinite(value) else None


def percent(share: float, digits: int = 1) -> str:
    """A share as a percentage with a true minus sign: 0.0123 -> "1.2 %"."""
    text = f"{100 * share:.{digits}f} %"
    if float(text.split()[0]) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def listing(words: list[str] | tuple[str, ...]) -> str:
    """Join words as prose does: "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + " and " + words[-1]


def plain(name: str) -> str:
    """A name as prose: "gva_per_job" -> "GVA per job", "staff[parks]" -> "staff (parks)"."""
    words = name.replace("_", " ").replace("[", " (").replace("]", ")").split(" ")
    return " ".join(_INITIALS.get(word, word) for word in words)
