"""Checks of the gate that are not built: they read "untested" and say what is not known."""

from __future__ import annotations

from functools import partial

from experiments.gate.check import Check
from experiments.gate.evidence import Evidence
from experiments.gate.thresholds import Thresholds

# number -> name, what passing would take, what is not known for want of the check
UNBUILT: dict[int, tuple[str, str, str]] = {
    1: (
        "filter self-test",
        "known accuracy on the Lorenz-96 test problem, no run diverging",
        "The method that keeps the twin in step with the data was not tested on a problem whose "
        "answer is known.",
    ),
    2: (
        "innovations",
        "surprises as large as the twin expects; spread over error 0.8 to 1.25",
        "Whether new figures surprise the twin more than it expects was not tested.",
    ),
    5: (
        "identification",
        "the parameters that the effect hinges on are learnt from data",
        "Whether the data inform the parameters that the benefit hinges on was not tested.",
    ),
    6: (
        "intervention backtest",
        "right sign in 80 % of past interventions, placebo alarms at most 10 %",
        "The twin was not tried on past interventions: that its causes and effects are right is "
        "not tested.",
    ),
    7: (
        "support",
        "at most 5 % of decisions outside what was ever tried",
        "Whether the policy asks for settings that no government has tried was not tested.",
    ),
    8: (
        "offline agreement",
        "twin and logged decisions agree within two standard errors",
        "The twin's estimate was not compared with an estimate from logged decisions.",
    ),
    11: (
        "robustness",
        "rank holds in 90 % of draws and on a different model, under evasion, delay, lost data",
        "Whether the gain survives evasion, delay, lost data and a different model was not tested.",
    ),
    12: (
        "selection",
        "every policy tried is on record and the winner is scored anew",
        "The winner was not scored again on fresh draws after it was chosen.",
    ),
}


def check(number: int, evidence: Evidence, thresholds: Thresholds) -> Check:
    """An untested check with the sentence of what is not known."""
    del evidence, thresholds
    name, requirement, sentence = UNBUILT[number]
    words = f"{sentence} The check is not built yet."
    return Check(number, name, "untested", None, None, words, requirement=requirement)


BUILDERS = {number: partial(check, number) for number in UNBUILT}
