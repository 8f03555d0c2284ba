"""The reference figures of MODEL section 20 (and the toll table of section 9), with what to say

about each that ours differs from. A key is ``group/name``.
"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.reference.reasons import REASONS

VALUE, AT_MOST = "value", "at most"
#: Ratio beyond which a difference needs a reason.
FACTOR = 1.5


@dataclass(frozen=True)
class Figure:
    """One figure of the study.

    Attributes:
        key: ``group/name``. quantity: what it is. reference: the study's value, in ``unit``.
        kind: "value", or "at most" where the figure is a limit and less is as good.
        digits: after the point, in print.
    """

    key: str
    quantity: str
    reference: float
    unit: str = "%"
    kind: str = VALUE
    digits: int = 1

    @property
    def group(self) -> str:
        """Part of the study."""
        return self.key.partition("/")[0]

    @property
    def reason(self) -> str:
        """Why ours is another, where that has been found out."""
        return REASONS.get(self.key, "")

    def ratio(self, ours: float) -> float | None:
        """Ours over the reference; none where the reference is zero."""
        return ours / self.reference if self.reference else None

    def differs(self, ours: float) -> bool:
        """Whether ours is of another sign or beyond a factor of 1.5."""
        ratio = self.ratio(ours)
        if ratio is None:
            return bool(abs(ours) > 0.5 * 10**-self.digits)
        if self.kind == AT_MOST:
            return ratio > FACTOR
        return not 1 / FACTOR <= ratio <= FACTOR


#: Groups in order: title, and what was run.
GROUPS: dict[str, tuple[str, str]] = {
    "drift": (
        "Stability: drift without policy or shock",
        "Largest relative distance from the first year in 600 months, over districts (and types).",
    ),
    "extreme": (
        "Stability: extreme policies",
        "Every cell of every lever drawn anew each year within its bounds, 16 rows, 600 months, "
        "one treasury. Extremes over rows and months, against the first year.",
    ),
    "statics": (
        "Comparative statics",
        "One lever at a time, soft treasury, against the same city without it. Car time is the "
        "mean drive of car commuters. The toll is 3 $ a traveller (3.90 $ a vehicle of 1.3).",
    ),
    "budget": (
        "One budget flips the sign",
        "Population under 1.3 times the staff: paid from outside (soft), or by the one treasury.",
    ),
    "lucas": (
        "Lucas probe",
        (
            "Population after 60 months of 1.3 times the staff (soft), by the learning gain of "
            "residents."
        ),
    ),
    "induced": (
        "Induced demand",
        "Elasticity of vehicle-km to road capacity: 20 % more everywhere, for ever, at once.",
    ),
    "daily": (
        "Day-to-day stability",
        "20 % more capacity at once; how much the logarithm of travel times still moves after five "
        "years, largest district.",
    ),
    "toll": (
        "A toll on the nine inner districts",
        "v/c 1.3, month 24, soft treasury, revenue given back as an equal rebate; tolls a "
        "traveller. Welfare: the logarithm of the geometric mean of equivalent incomes, changes in "
        "points.",
    ),
}

#: Quantities of the comparative statics.
QUANTITIES = {
    "time": "car time",
    "vkt": "vehicle-km",
    "transit": "transit trips",
    "people": "people",
    "rent": "rent",
    "gdp": "output",
    "evasion": "evasion",
    "revenue": "revenue",
}

#: Setting -> levers, and by horizon the changes that the study found, per cent.
STATICS: dict[str, tuple[dict[str, float], dict[int, dict[str, float]]]] = {
    "toll 3 $": (
        {"toll": 0.0039},
        {
            60: {
                "time": -4.8,
                "vkt": -28.6,
                "transit": 34,
                "people": -5.5,
                "rent": -2.1,
                "gdp": -2.7,
            }
        },
    ),
    "free fare": (
        {"fare": 0.0},
        {60: {"time": -0.7, "vkt": -2.7, "transit": 39, "people": 0.5, "rent": 0.2, "gdp": 0.3}},
    ),
    "transit x2": (
        {"transit": 2.0},
        {120: {"time": -0.7, "vkt": -2.7, "transit": 43, "people": 0.8, "rent": 0.4, "gdp": 0.6}},
    ),
    "road starts x3": (
        {"road": 3.0},
        {
            120: {
                "time": -5.1,
                "vkt": 6.7,
                "transit": -1.4,
                "people": 2.7,
                "rent": 4.5,
                "gdp": 6.6,
            },
            480: {
                "time": -7.6,
                "vkt": 23.3,
                "transit": 4.9,
                "people": 15.6,
                "rent": 12.9,
                "gdp": 27.6,
            },
        },
    ),
    "no maintenance": (
        {"maintenance": 0.0},
        {
            120: {
                "time": 11.5,
                "vkt": -10.6,
                "transit": 6.2,
                "people": -1.8,
                "rent": -0.8,
                "gdp": -1.1,
            }
        },
    ),
    "floor-area ratio x1.3": (
        {"far": 1.3},
        {480: {"time": 0.9, "vkt": 2.8, "transit": 2.7, "people": 3.3, "rent": -5.8, "gdp": 3.9}},
    ),
    "business tax 10 to 25 %": (
        {"business_tax": 0.25},
        {
            240: {
                "time": -0.7,
                "vkt": -2.5,
                "transit": -2.3,
                "people": -2.9,
                "rent": -3.2,
                "gdp": -5.9,
                "evasion": 8.8,
                "revenue": 15.7,
            }
        },
    ),
    "income tax +5 points": (
        {"income_tax": 0.10},
        {
            240: {
                "time": -1.4,
                "vkt": -5.2,
                "transit": -4.9,
                "people": -5.9,
                "rent": -5.0,
                "gdp": -5.2,
                "evasion": 3.1,
                "revenue": 17.1,
            }
        },
    ),
    "audit 5 to 15 %": (
        {"audit": 0.15},
        {240: {"people": -0.2, "rent": -0.6, "gdp": -0.5, "evasion": -10.4, "revenue": 4.7}},
    ),
    "staff x1.3": (
        {"staff": 1.3},
        {120: {"time": 1.1, "vkt": 4.1, "people": 4.9, "rent": 3.6, "gdp": 0.7}},
    ),
}

MONTHS = (3, 24, 60, 240, 480)
#: Setting of the induced-demand table: v/c, non-work elasticity, and the study's elasticities.
INDUCED: dict[str, tuple[float, float, tuple[float, ...]]] = {
    "v/c .9": (0.9, 0.0, (0.07, 0.15, 0.20, 0.29, 0.34)),
    "v/c 1.3": (1.3, 0.0, (0.28, 0.43, 0.49, 0.57, 0.61)),
    "v/c 1.3, non-work elastic": (1.3, 1.0, (0.44, 0.57, 0.61, 0.67, 0.70)),
    "v/c 1.6, non-work elastic": (1.6, 1.0, (0.72, 0.74, 0.76, 0.80, 0.82)),
}

LOADS = (0.9, 1.3, 1.6)
GAINS = (0.1, 0.2, 0.3)
CYCLE = 0.6
TOLLS = {0.25: 0.07, 0.5: 0.13, 1.0: 0.20, 2.0: 0.18, 4.0: -0.35}
LEARNING = {0.02: 1.5, 0.08: 2.7, 0.30: 3.0}


def _statics() -> list[Figure]:
    return [
        Figure(
            f"statics/{setting}, {months} months: {name}",
            f"{setting}, month {months}: {QUANTITIES[name]}",
            value,
            "points" if name == "evasion" else "%",
        )
        for setting, (_, horizons) in STATICS.items()
        for months, cells in horizons.items()
        for name, value in cells.items()
    ]


FIGURES: tuple[Figure, ...] = (
    *(
        Figure(f"drift/people at {load:g}", f"people, v/c {load:g}", value, "millionths", AT_MOST)
        for load, value in zip(LOADS, (1.7, 3.8, 10.0), strict=True)
    ),
    Figure("drift/rents", "rents, any v/c", 2.4, "millionths", AT_MOST),
    Figure("extreme/people low", "population, lowest", 0.81, "x", digits=2),
    Figure("extreme/people high", "population, highest", 1.83, "x", digits=2),
    Figure("extreme/gdp low", "output, lowest", 0.87, "x", digits=2),
    Figure("extreme/gdp high", "output, highest", 2.58, "x", digits=2),
    Figure("extreme/rent low", "rents, lowest", 0.97, "x", digits=2),
    Figure("extreme/rent high", "rents, highest", 1.19, "x", digits=2),
    Figure("extreme/load", "volume over capacity, highest", 1.44, "", digits=2),
    Figure("extreme/debt low", "debt, lowest", -10.6, "months of revenue"),
    Figure("extreme/debt high", "debt, highest", 0.0, "months of revenue"),
    Figure("extreme/bad", "states that are not finite or negative", 0.0, "", digits=0),
    *_statics(),
    Figure("statics/frequency elasticity", "ridership elasticity of frequency", 0.51, "", digits=2),
    Figure("budget/soft 240", "paid from outside, month 240", 4.9),
    Figure("budget/paid 60", "paid by the treasury, month 60", -0.3),
    Figure("budget/paid 240", "paid by the treasury, month 240", -6.6),
    *(Figure(f"lucas/{gain:g}", f"gain {gain:g}", value) for gain, value in LEARNING.items()),
    *(
        Figure(f"induced/{setting}, {months}", f"{setting}, month {months}", value, "", digits=2)
        for setting, (_, _, row) in INDUCED.items()
        for months, value in zip(MONTHS, row, strict=True)
    ),
    Figure(
        "daily/settled",
        "settings that settle, of nine (gain .1 .2 .3, v/c .9 1.3 1.6)",
        9,
        "",
        digits=0,
    ),
    Figure("daily/cycle", "gain .6, v/c 1.6: a period-2 cycle of", 0.31, "a month", digits=2),
    Figure("daily/margin", "wages: how far the gain is below its bound", 3.0, "x"),
    *(
        Figure(
            f"toll/{toll:g}", f"{toll:g} $: welfare, experienced weights", value, "points", digits=2
        )
        for toll, value in TOLLS.items()
    ),
    Figure(
        "toll/revealed best",
        "revealed weights: smallest loss of any toll",
        -0.5,
        "points",
        digits=2,
    ),
    Figure("toll/revealed worst", "revealed weights: largest loss", -3.0, "points", digits=2),
    Figure("toll/core", "2 $: car trips to the inner districts", -23.0),
    Figure("toll/load", "2 $: volume over capacity", -11.0),
)
