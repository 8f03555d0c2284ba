"""From checks to a verdict: recommend, pilot or refuse, with reasons in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from experiments.gate.check import Check, listing
from experiments.gate.checks import CHECKS
from experiments.gate.checks.no_one_left_behind import loss_margin
from experiments.gate.evidence import Evidence
from experiments.gate.thresholds import Threshold, Thresholds, load

Decision = Literal["recommend", "pilot", "refuse"]

REFUSE_IF_FAILED = (0, 1, 2, 9, 10, 12)
REFUSE_IF_FAILED_FOR_THE_DECISION = (3, 4)
PILOT_UNLESS_PASSED = (5, 6, 7, 8, 11)

TOPICS = {
    0: "how recent the data are",
    1: "the accuracy of the filter",
    2: "whether new figures surprise the twin",
    3: "how well the twin forecasts",
    4: "whether its margins of error are honest",
    5: "whether data inform what the benefit hinges on",
    6: "the twin's word on past interventions",
    7: "whether such settings were ever tried",
    8: "a second opinion from logged decisions",
    9: "the gain over today and over a simple rule",
    10: "who would lose",
    11: "whether the gain survives evasion, delay, lost data and another model",
    12: "the winner's score on fresh draws",
}


@dataclass(frozen=True)
class Verdict:
    """The gate's answer, why, every check, and the thresholds it was given by."""

    verdict: Decision
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    thresholds: tuple[Threshold, ...] = ()
    threshold_file: str = ""

    def check(self, number: int) -> Check:
        """The check of that number; raises KeyError where there is none."""
        for check in self.checks:
            if check.number == number:
                return check
        raise KeyError(number)

    @property
    def loosened(self) -> tuple[Threshold, ...]:
        """Thresholds that asked for less than the default."""
        return tuple(entry for entry in self.thresholds if entry.loosened)

    def to_json(self) -> dict[str, Any]:
        """Keys of ``polislab recommend --json`` and of dossier.json."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "checks": [check.to_json() for check in self.checks],
            "thresholds": [entry.to_json() for entry in self.thresholds],
            "threshold_file": self.threshold_file,
            "loosened": [entry.name for entry in self.loosened],
        }


def judge(evidence: Evidence, thresholds: Thresholds | None = None) -> Verdict:
    """Run every check on the evidence and aggregate; thresholds default to the shipped file."""
    chosen = thresholds or load()
    checks = tuple(check(evidence, chosen) for check in CHECKS.values())
    printed = _printed(evidence, chosen)
    decision, reasons = aggregate(checks)
    remarks = tuple(
        f"The threshold {entry.name} was loosened from {entry.default} to {entry.value}."
        for entry in printed.values()
        if entry.loosened
    )
    return Verdict(decision, (*reasons, *remarks), checks, tuple(printed.values()), chosen.file)


def aggregate(checks: Iterable[Check]) -> tuple[Decision, tuple[str, ...]]:
    """The verdict of a set of checks and its reasons.

    Refuse where a check fails that nothing can make up for: data, filter, innovations,
    improvement, no one left behind, selection; or where forecast skill or calibration fails for
    a variable that the effect on welfare runs through. Pilot where identification, intervention
    backtest, support, offline agreement or robustness fails or is untested. An untested check of
    the first kind is no failure, but nothing is recommended on the strength of it: pilot at best.
    """
    found = {check.number: check for check in checks}
    refusing = [
        check
        for number, check in found.items()
        if (number in REFUSE_IF_FAILED and check.status == "fail")
        or (number in REFUSE_IF_FAILED_FOR_THE_DECISION and check.fails_for_the_decision())
    ]
    failed = [found[n] for n in PILOT_UNLESS_PASSED if n in found and found[n].status == "fail"]
    untested = [check for check in found.values() if check.status == "untested"]
    if refusing:
        return "refuse", tuple(_reason(check) for check in refusing + failed) + _gaps(
            untested, False
        )
    benefits = tuple(_reason(found[n]) for n in (9, 10) if n in found and found[n].status == "pass")
    if failed or untested:
        return "pilot", benefits + tuple(_reason(check) for check in failed) + _gaps(untested, True)
    return "recommend", ("Every check of the gate passed.", *benefits)


def _reason(check: Check) -> str:
    title = check.name[0].upper() + check.name[1:]
    return f"{title}: {check.explanation}"


def _gaps(untested: list[Check], at_best_pilot: bool) -> tuple[str, ...]:
    """One reason for everything untested."""
    if not untested:
        return ()
    topics = listing([f"{TOPICS[check.number]} (check {check.number})" for check in untested])
    words = f"Not tested: {topics}."
    if at_best_pilot:
        words += " What is untested is no failure, but without it a pilot is the most to advise."
    return (words,)


def _printed(evidence: Evidence, thresholds: Thresholds) -> Mapping[str, Threshold]:
    """The thresholds with the loss margin that the evidence asks for."""
    name = "no_one_left_behind.margin"
    entries = dict(thresholds.entries)
    fields = {**entries[name].__dict__, "value": loss_margin(evidence, thresholds)}
    return {**entries, name: Threshold(**fields)}
