"""Check 10: no household group loses, bad luck is no worse than today, budgets are kept."""

from __future__ import annotations

import numpy as np

from experiments.gate.check import Check, Measure, Status, listing, percent, plain
from experiments.gate.evidence import Evidence, Floats, Rollouts
from experiments.gate.thresholds import Thresholds
from experiments.statistics import cvar

NUMBER, NAME = 10, "no one left behind"


def check(evidence: Evidence, thresholds: Thresholds) -> Check:
    """Chance that any group loses more than the margin; worst tenth of outcomes; budgets."""
    limit = thresholds.number("no_one_left_behind.max_loss_probability")
    margin = loss_margin(evidence, thresholds)
    tail = thresholds.number("no_one_left_behind.tail")
    requirement = (
        f"at most {percent(limit, 0)} chance that a group loses more than {percent(margin)} of "
        f"income; worst {percent(tail, 0)} of outcomes no worse than today; every budget kept"
    )
    rollouts = evidence.rollouts
    if rollouts is None:
        words = "The policy was not played through on the twin, so nobody knows who would lose."
        return Check(NUMBER, NAME, "untested", None, limit, words, requirement=requirement)
    losing = _losing(evidence, rollouts, margin)
    anyone = float(losing.any(axis=-1).mean())
    groups = evidence.group_names()
    chances = losing.mean(axis=(0, 1))
    worse = _tail_loss(evidence, rollouts, tail)
    allowed = thresholds.number("no_one_left_behind.tail_tolerance")
    overrun = _overruns(evidence, rollouts, thresholds)
    parts = [_group_words(anyone, limit, margin, dict(zip(groups, chances, strict=True)))]
    if worse > allowed:
        parts.append(
            f"When things go badly (the worst {percent(tail, 0)} of outcomes) it is worse than "
            f"leaving things as they are by {percent(worse, 2)} of income."
        )
    else:
        parts.append("Even in the worst outcomes it is no worse than leaving things as they are.")
    parts.extend(overrun)
    failed = anyone > limit or worse > allowed or bool(overrun)
    status: Status = "fail" if failed else "pass"
    if not failed and not rollouts.costs:
        status = "untested"
        parts.append("No constraint costs were handed in, so budgets are not known to be kept.")
    return Check(
        NUMBER,
        NAME,
        status,
        anyone,
        limit,
        " ".join(parts),
        figure=f"{percent(anyone, 0)} chance that a group loses more than {percent(margin)}",
        requirement=requirement,
        measures=tuple(
            Measure(
                f"{plain(group)}: chance of losing",
                float(chance),
                most=limit,
                status="pass" if chance <= limit else "fail",
            )
            for group, chance in zip(groups, chances, strict=True)
        ),
        unit="share",
    )


def loss_margin(evidence: Evidence, thresholds: Thresholds) -> float:
    """The loss that counts as losing, a share of income."""
    if evidence.margin is not None:
        return evidence.margin
    return thresholds.number("no_one_left_behind.margin")


def _losing(evidence: Evidence, rollouts: Rollouts, margin: float) -> np.ndarray:
    """Which group loses in which seed and draw: bool ``[S, N, K]``."""
    policy, today = rollouts.index(evidence.policy), rollouts.index(evidence.status_quo)
    change: Floats = rollouts.by_group[policy] - rollouts.by_group[today]
    return np.asarray(change < -margin)


def _tail_loss(evidence: Evidence, rollouts: Rollouts, tail: float) -> float:
    """How much worse the bad tail of the policy is than that of the status quo."""
    policy, today = rollouts.index(evidence.policy), rollouts.index(evidence.status_quo)
    return float(cvar(rollouts.welfare[today], tail) - cvar(rollouts.welfare[policy], tail))


def _overruns(evidence: Evidence, rollouts: Rollouts, thresholds: Thresholds) -> list[str]:
    """One sentence for each constraint whose mean cost exceeds its budget."""
    tolerance = thresholds.number("no_one_left_behind.budget_tolerance")
    policy, today = rollouts.index(evidence.policy), rollouts.index(evidence.status_quo)
    sentences = []
    for name, cost in rollouts.costs.items():
        budget = rollouts.budgets[name]
        spent, before = float(cost[policy].mean()), float(cost[today].mean())
        if spent > budget + tolerance * abs(budget) + 1e-12:
            already = ", as the status quo already does" if before > budget else ""
            sentences.append(
                f"It overruns the limit on {plain(name)} ({spent:.3g} against {budget:.3g}"
                f"{already})."
            )
    return sentences


def _group_words(anyone: float, limit: float, margin: float, chances: dict[str, float]) -> str:
    if anyone <= limit:
        return (
            f"No household group is likely to lose more than {percent(margin)} of income "
            f"(chance {percent(anyone, 0)})."
        )
    losers = [plain(name) for name, chance in chances.items() if chance > limit]
    who = listing(losers) if losers else "one group or another"
    return (
        f"There is a chance of {percent(anyone, 0)} that a household group loses more than "
        f"{percent(margin)} of income: {who}."
    )
