"""A stylised fact: what was measured, what is accepted, and why where it is outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Tick = Callable[[], None]


@dataclass(frozen=True)
class Size:
    """How large the experiments are.

    cities: of a system of cities; places: districts of a city with a shape; districts: of all
    others; years: longest history; small sizes are for trying and for tests.
    """

    cities: int = 100
    places: int = 33
    districts: int = 9
    years: int = 200

    def horizon(self, years: float) -> int:
        """Months of a history of ``years``, cut where all is kept small."""
        return round(12 * min(years, self.years))


@dataclass(frozen=True)
class Measure:
    """One number with its accepted band.

    Attributes:
        name: what it is; value: as measured, in ``unit``; low, high: accepted, None where open.
            Neither: no band, shown for comparison. digits: after the point, in print.
        source: where the band comes from. why: explanation, printed where the value is outside.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    digits: int = 2
    source: str = "MODEL section 14"
    why: str = ""

    @property
    def judged(self) -> bool:
        """Whether there is a band."""
        return self.low is not None or self.high is not None

    @property
    def inside(self) -> bool:
        """Within the band, or without one."""
        low = self.low is None or self.value >= self.low
        return low and (self.high is None or self.value <= self.high)

    @property
    def band(self) -> str:
        """The accepted band in words."""

        def text(number: float) -> str:
            return f"{number:.{self.digits}f}"

        if self.low is not None and self.high is not None:
            return f"{text(self.low)} to {text(self.high)}"
        if self.low is not None:
            return f"above {text(self.low)}" if self.low else "positive"
        if self.high is not None:
            return f"below {text(self.high)}" if self.high else "negative"
        return ""

    @property
    def shown(self) -> str:
        """The value with its unit."""
        rounded = round(self.value, self.digits) + 0.0  # no minus before a zero
        return f"{rounded:.{self.digits}f}" + (f" {self.unit}" if self.unit else "")

    @property
    def verdict(self) -> str:
        """Inside, outside, or nothing."""
        if not self.judged:
            return ""
        return "inside" if self.inside else "outside"

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "low": self.low,
            "high": self.high,
            "verdict": self.verdict,
            "source": self.source if self.judged else "",
            "why": "" if self.inside else self.why,
        }


@dataclass(frozen=True)
class Fact:
    """One fact of the page.

    Attributes:
        key: name of its picture; title: heading; question: what the fact says of real cities;
        experiment: what was done, in words; measures: the numbers; remarks: what to know about
        them; picture: PNG; caption: of the picture.
    """

    key: str
    title: str
    question: str
    experiment: str
    measures: tuple[Measure, ...]
    remarks: tuple[str, ...] = ()
    picture: bytes = b""
    caption: str = ""

    @property
    def unexplained(self) -> list[str]:
        """Measures outside their band without an explanation."""
        return [m.name for m in self.measures if not m.inside and not m.why]

    def record(self) -> dict[str, Any]:
        """For JSON, without the picture."""
        return {
            "key": self.key,
            "title": self.title,
            "experiment": self.experiment,
            "measures": [measure.record() for measure in self.measures],
            "remarks": list(self.remarks),
        }
