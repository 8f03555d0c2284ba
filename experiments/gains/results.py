"""What is reported: sources of gain and clairvoyant gaps, with intervals over futures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from agents.plans import World
from agents.plans.world import DECISION
from envs.city.dynamics import PRESETS
from envs.city.model import City
from experiments.gains.draws import Draws
from experiments.gains.effort import Effort
from experiments.gains.study import Floats, Study, Tick
from experiments.statistics import stats

LEVEL = 0.95
#: A gap must be this many evaluation intervals wide to bear a claim.
INTERVALS = 3
#: More futures than this nobody runs.
MOST = 2000


@dataclass(frozen=True)
class Gain:
    """One source of gain: the mean difference of two plans over futures, percent of income.

    comparison: which plan minus which; error: standard error over futures; low, high: 95 %
    interval (Student); futures: how many.
    """

    source: str
    comparison: str
    measure: str
    mean: float
    error: float
    low: float
    high: float
    futures: int


@dataclass(frozen=True)
class Gap:
    """What plans earn under one dynamics preset, percent of income for ever.

    constant, open_loop, feedback, clairvoyant: mean gains over today's policy; gap: clairvoyant
    minus open loop; interval: half of the 95 % interval of the mean gap, the least that an
    evaluation on as many futures tells apart; reached: share of the gap that feedback earned;
    supports: whether the preset can bear a claim that learning beats planning; needed: futures
    from which on it can, None where there is no gap.
    """

    preset: str
    futures: int
    constant: float
    open_loop: float
    feedback: float
    clairvoyant: float
    gap: float
    interval: float
    reached: float | None
    supports: bool
    needed: int | None


@dataclass(frozen=True)
class Gains:
    """All that is found for one city; by_future: plan -> gain on each held-out future."""

    city: str
    districts: int
    months: int
    rows: int
    seed: int
    effort: Effort
    sources: tuple[Gain, ...]
    gaps: tuple[Gap, ...]
    by_future: dict[str, tuple[float, ...]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "decision_months": DECISION}


#: Source -> the plan with it, the plan without it.
SOURCES: dict[str, tuple[str, str]] = {
    "coordination": ("joint", "together"),
    "differentiation": ("by district", "joint"),
    "adaptation": ("feedback", "open loop"),
    "targeting": ("by type", "equal"),
    "information": ("feedback", "poorly informed"),
}
#: What the plans of the table of sources are, in words.
WORDS: dict[str, str] = {
    "joint": "all governors planned jointly",
    "together": "each planned alone, then applied together",
    "by district": "a setting for each district",
    "feedback": "plan and linear feedback",
    "open loop": "plan made in advance",
    "by type": "a setting for each household type",
    "equal": "one setting for all types",
    "poorly informed": "feedback on late, noisy, own figures",
}


def sources(scores: dict[str, Floats], preset: str) -> tuple[Gain, ...]:
    """The sources of gain from the plans' scores; those that need chance only where there is."""
    rows = []
    for source, pair in SOURCES.items():
        names = [
            f"{name}, {preset}" if name in ("feedback", "open loop") else name for name in pair
        ]
        if any(name not in scores for name in names):
            continue
        mean, error, half = spread(scores[names[0]] - scores[names[1]])
        rows.append(
            Gain(
                source=source,
                comparison=" minus ".join(WORDS[name] for name in pair),
                measure="atkinson" if source == "targeting" else "total",
                mean=mean,
                error=error,
                low=mean - half,
                high=mean + half,
                futures=len(scores[names[0]]),
            )
        )
    return tuple(rows)


def gaps(scores: dict[str, Floats], constant: dict[str, float]) -> tuple[Gap, ...]:
    """The clairvoyant gap of every preset.

    Args:
        constant: preset -> mean gain of the best constant plan.
    """
    rows = []
    for preset in PRESETS:
        ahead, known = scores[f"open loop, {preset}"], scores[f"clairvoyant, {preset}"]
        answer = scores.get(f"feedback, {preset}", ahead)
        gap, error, half = spread(known - ahead)
        rows.append(
            Gap(
                preset=preset,
                futures=len(ahead),
                constant=constant[preset],
                open_loop=float(ahead.mean()),
                feedback=float(answer.mean()),
                clairvoyant=float(known.mean()),
                gap=gap,
                interval=half,
                reached=float((answer - ahead).mean()) / gap if len(ahead) > 1 and gap else None,
                supports=gap > 0 and gap >= INTERVALS * half and len(ahead) > 1,
                needed=needed(gap, error * sqrt(len(ahead))) if len(ahead) > 1 else None,
            )
        )
    return tuple(rows)


def spread(differences: Floats) -> tuple[float, float, float]:
    """Mean over futures, its standard error, and half of its 95 % interval (Student)."""
    count = len(differences)
    mean = float(differences.mean())
    if count < 2:
        return mean, 0.0, 0.0
    error = float(differences.std(ddof=1)) / sqrt(count)
    return mean, error, error * _reach(count)


def needed(gap: float, deviation: float) -> int | None:
    """Futures on which a gap of this standard deviation is ``INTERVALS`` intervals wide."""
    for count in range(2, MOST):
        if gap >= INTERVALS * _reach(count) * deviation / sqrt(count) and gap > 0:
            return count
    return None


def _reach(count: int) -> float:
    """Half of the 95 % interval of a mean of ``count`` values, in standard errors."""
    return float(stats.t.ppf((1 + LEVEL) / 2, count - 1))


def measure(
    name: str, city: City, work: Effort, rows: int, months: int, seed: int, tick: Tick
) -> Gains:
    """Find, score and compare the plans of one city.

    Args:
        name: of the city, for the report; city: one row.
        rows: futures that plans are scored on; months: that plans govern, whole years.
        tick: called ``work.work`` times, after each gradient step.
    """
    draws = Draws.of(city, rows, work.lessons, months, seed)
    study = Study(World(city, draws.futures, work.aversion, work.tail), draws, work, seed)
    study.constant(tick)
    study.vary(tick)
    scores = study.score()
    return Gains(
        city=name,
        districts=city.districts,
        months=months,
        rows=rows,
        seed=seed,
        effort=work,
        sources=sources(scores, work.preset),
        gaps=gaps(scores, study.constants()),
        by_future={name: tuple(values.tolist()) for name, values in scores.items()},
    )
