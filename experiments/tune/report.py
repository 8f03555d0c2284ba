"""What a study found: a table, the best overrides as a file, and the history as a picture."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.compare.chart import PALETTE, png
from experiments.settings import SEED_BLOCK, TUNING_SEED
from experiments.sheets import Sheet
from experiments.tune.space import words
from experiments.tune.study import Study, Trial, best

SHOWN = 8
COLOURS = {"complete": PALETTE[0], "pruned": "#9aa0a6", "failed": PALETTE[1]}


def where(study: Study) -> str:
    """On which seeds the study tunes."""
    last = TUNING_SEED + study.cities - 1
    return (
        f"Tuning on cities {TUNING_SEED} to {last}, of {SEED_BLOCK} seeds kept for tuning: neither "
        "evaluation nor the gate sees them."
    )


def sheet(trials: Sequence[Trial]) -> Sheet:
    """The best trials."""
    complete = sorted(
        (trial for trial in trials if trial.score is not None), key=lambda t: -(t.score or 0.0)
    )
    rows = [
        (str(trial.number), f"{100 * (trial.score or 0.0):+.3f}", " ".join(words(trial.values)))
        for trial in complete[:SHOWN]
    ]
    pruned = sum(trial.ended == "pruned" for trial in trials)
    failed = sum(trial.ended == "failed" for trial in trials)
    notes = (
        f"{len(complete)} trials complete, {pruned} stopped early, {failed} failed. Score: "
        "interquartile mean of welfare over today's policy, percent of income, over training "
        "seeds and tuning cities. It flatters the best: compare on held-out cities.",
    )
    return Sheet("Best trials", (">trial", ">score %", "values"), rows, notes)


def command(study: Study, trials: Sequence[Trial]) -> str | None:
    """The training command with the best values; None before a trial is complete."""
    found = best(trials)
    if found is None:
        return None
    return shlex.join(["polislab", "train", *study.overrides, *words(found.values)])


def best_file(study: Study, trials: Sequence[Trial]) -> str:
    """The best overrides as YAML, with the command that uses them."""
    found = best(trials)
    assert found is not None
    score = f"{100 * (found.score or 0.0):+.3f} %"
    head = [
        f"# Best of {len(trials)} trials (number {found.number}): {score} of income over",
        f"# today's policy on tuning cities {TUNING_SEED} to {TUNING_SEED + study.cities - 1}.",
        f"# {command(study, trials)}",
    ]
    return "\n".join(head) + "\n" + yaml.safe_dump(dict(found.values), sort_keys=False)


def history(trials: Sequence[Trial], title: str) -> bytes:
    """PNG: the score of each trial and the best so far."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    complete = [trial for trial in trials if trial.score is not None]
    numbers = [trial.number for trial in complete]
    scores = [100 * (trial.score or 0.0) for trial in complete]
    panel.plot(numbers, scores, "o", color=COLOURS["complete"], label="score of a trial")
    if scores:
        panel.step(
            numbers,
            np.maximum.accumulate(scores),
            where="post",
            color=PALETTE[2],
            label="best so far",
        )
    for ended, label in (("pruned", "stopped early"), ("failed", "failed")):
        stopped = [trial.number for trial in trials if trial.ended == ended]
        if stopped:
            foot = np.full(len(stopped), min(scores, default=0.0))
            panel.plot(stopped, foot, "x", color=COLOURS[ended], label=label)
    panel.set_xlabel("trial")
    panel.set_ylabel("welfare over today's policy, % of income")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=9)
    panel.set_title(title, fontsize=10, loc="left", weight="bold")
    return png(figure)
