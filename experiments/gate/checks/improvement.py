"""Check 9: the policy beats the status quo and the best simple rule, beyond luck."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np

from experiments.gate.check import Check, Measure, Status, percent, plain
from experiments.gate.evidence import Evidence, Rollouts
from experiments.gate.thresholds import Thresholds
from experiments.statistics import (
    GainTest,
    Interval,
    holm,
    interquartile_mean,
    student_test,
)

NUMBER, NAME = 9, "improvement"


def check(evidence: Evidence, thresholds: Thresholds) -> Check:
    """Lower bound of the paired gain above both references, at enough training seeds."""
    limit = thresholds.number("improvement.min_gain")
    needed = int(thresholds.number("improvement.min_seeds"))
    requirement = (
        f"lower bound of the gain above {percent(limit)} against both, "
        f"at {needed} or more training runs"
    )
    rollouts = evidence.rollouts
    if rollouts is None:
        words = "The policy was not played through on the twin, so its gain is not known."
        return Check(NUMBER, NAME, "untested", None, limit, words, requirement=requirement)
    rule = best_rule(evidence)
    references = [evidence.status_quo] + ([rule] if rule else [])
    tests = {name: gain_test(evidence, name, thresholds) for name in references}
    measures = tuple(
        Measure(
            f"gain over {reference_name(evidence, name)}",
            test.interval.estimate,
            test.interval.low,
            test.interval.high,
            least=limit,
            status="pass" if _passes(test, thresholds) else "fail",
        )
        for name, test in tests.items()
    )
    status: Status = "pass" if rule else "untested"
    if rollouts.seeds < needed or any(measure.status == "fail" for measure in measures):
        status = "fail"
    lowest = min(test.interval.low for test in tests.values())
    return Check(
        NUMBER,
        NAME,
        status,
        lowest,
        limit,
        _sentence(rollouts, measures, needed, rule, evidence.tried),
        figure=f"lowest bound of the gain {percent(lowest, 2)} of income, "
        f"{rollouts.seeds} training run{'s' if rollouts.seeds != 1 else ''}",
        requirement=requirement,
        measures=measures,
        unit="share",
    )


def best_rule(evidence: Evidence) -> str | None:
    """The simple rule with the highest interquartile mean of welfare, or None without rules."""
    rollouts = evidence.rollouts
    rules = evidence.simple_rules()
    if rollouts is None or not rules:
        return None
    scores = {rule: interquartile_mean(rollouts.welfare[rollouts.index(rule)]) for rule in rules}
    return max(scores, key=lambda rule: float(scores[rule]))


def reference_name(evidence: Evidence, reference: str) -> str:
    """The reference in words a reader understands."""
    if reference == evidence.status_quo:
        return "leaving things as they are"
    return f"the best simple rule ({plain(reference)})"


def gain_test(evidence: Evidence, reference: str, thresholds: Thresholds) -> GainTest:
    """Paired test of "the gain exceeds the least gain asked for", with its interval.

    The seeds and the posterior draws are both samples, so both are drawn anew (crossed). With m
    policies tried, Holm leaves the best of them 1/m of the error allowed: interval and p-value
    are corrected for it.
    """
    if evidence.rollouts is None:
        raise ValueError("a gain needs rollouts")
    least = thresholds.number("improvement.min_gain")
    tried = max(1, evidence.tried)
    test = student_test(
        evidence.rollouts.gain(evidence.policy, reference) - least,
        np.random.default_rng([evidence.seed, NUMBER]),
        level=1 - (1 - thresholds.number("improvement.level")) / tried,
        replications=int(thresholds.number("improvement.replications")),
    )
    adjusted = holm([test.p_value] + [1.0] * (tried - 1))[0]
    shifted = Interval(*(end + least for end in astuple(test.interval)))
    return GainTest(shifted, float(adjusted))


def _passes(test: GainTest, thresholds: Thresholds) -> bool:
    return test.p_value <= (1 - thresholds.number("improvement.level")) / 2


def _sentence(
    rollouts: Rollouts, measures: tuple[Measure, ...], needed: int, rule: str | None, tried: int
) -> str:
    parts = [_gain_words(measure) for measure in measures]
    if rule is None:
        parts.append("No simple rule was played through, so it is not known to beat one.")
    if rollouts.seeds < needed:
        runs = "training run was" if rollouts.seeds == 1 else "training runs were"
        parts.append(
            f"Only {rollouts.seeds} {runs} made; at least {needed} are needed to tell a good "
            f"method from a lucky run."
        )
    if tried > 1:
        parts.append(f"The intervals allow for {tried} policies having been tried.")
    return " ".join(parts)


def _gain_words(measure: Measure) -> str:
    low, high = measure.low or 0.0, measure.high or 0.0
    reference = measure.label.removeprefix("gain over ")
    interval = f"({percent(low, 2)} to {percent(high, 2)} of income)"
    if measure.status == "pass":
        return f"Compared with {reference} people gain {percent(measure.value, 2)} {interval}."
    if high < 0:
        return f"Compared with {reference} people lose {percent(-measure.value, 2)} {interval}."
    return (
        f"Compared with {reference} the change is {percent(measure.value, 2)} {interval}: "
        f"not clearly better."
    )
