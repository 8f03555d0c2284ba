"""`polislab regret`: what a regime change costs, and what policies that learn win back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.output import JsonOption, check_files, check_json, emit, show
from experiments.errors import InputError

if TYPE_CHECKING:
    from experiments.regret import Regret
    from experiments.sheets import Sheet
    from experiments.statistics import Interval


def regret(
    policies: Annotated[
        list[str],
        typer.Argument(
            metavar="POLICY... [KEY=VALUE]...",
            help="Names of rules, run or policy folders, the frozen policy first; and overrides of "
            "the first run's configuration (of configs/train.yaml where there are rules alone).",
        ),
    ],
    regime: Annotated[str, typer.Option(help="What breaks: parameters or evasion.")] = "parameters",
    month: Annotated[int, typer.Option(min=3, help="Months lived before the break.")] = 60,
    after: Annotated[
        int, typer.Option(min=24, help="Months after the break that are played.")
    ] = 36,
    strength: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="Of the break; 1 as wide as the priors.")
    ] = 1.0,
    cities: Annotated[int, typer.Option(min=2, max=10_000, help="Held-out cities.")] = 32,
    informed: Annotated[
        str | None,
        typer.Option(help="A policy optimised for the new regime, to measure the loss against."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture to FILE (PNG).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure regret after a break that nobody announces, and how much of it others recover.

    All meet the same held-out cities and shocks with and without the break. Loss: what the frozen
    policy earns less than in the same months without the break (or than the informed policy).
    Recovered: what another earns beyond the frozen one 12 to 24 months after it, over that loss;
    the part of that gain that is not there without the break is shown beside it.
    Runs of one configuration are one policy, their seeds drawn with the cities.

    Example: polislab regret pi adaptive_pi --regime evasion --plot regret.png

    Example: polislab regret RUN_FEEDBACK RUN_ADAPTIVE scenario.dynamics=steady --cities 64
    """
    import torch

    from envs.regime import BREAKS
    from experiments import config
    from experiments import regret as worker
    from experiments.progress import progress
    from experiments.regret.play import steps_of
    from experiments.sheets import terminal

    check_json(json)
    check_files(plot=plot)
    names = [text for text in policies if "=" not in text]
    if not names:
        raise InputError("no policy named; an example: polislab regret pi adaptive_pi")
    if regime not in BREAKS:
        raise InputError(f"--regime {regime}: expected {' or '.join(BREAKS)}")
    entries, base = worker.gather([*names, *([informed] if informed else [])])
    loaded = config.load([text for text in policies if "=" in text], base=base)
    loaded = loaded.scored_on(loaded.settings.experiment.evaluation.first_seed, cities)
    struck, scenario = worker.Break(regime, month, strength, after), loaded.settings.scenario
    step = int(scenario["months_per_step"])
    if problems := struck.problems(int(scenario["horizon"]), step):
        raise InputError(problems)
    torch.set_num_threads(loaded.settings.threads)
    plays = 2 * sum(len(entry.policies) for entry in entries)
    with progress("playing", plays * steps_of(struck, step), "steps") as tick:
        found = worker.flows(loaded, entries, struck, tick)
    result = worker.estimate(found, struck, step, informed is not None)
    sheet = _sheet(result)
    show(terminal(sheet))
    for note in sheet.notes:
        show(note)
    if plot is not None:
        from agents.files import write_atomic

        title = f"A break of {regime} (strength {strength:g}), {cities} held-out cities"
        write_atomic(plot, worker.chart(result, title))
        show(f"Picture: {plot}")
    emit(result.content(), json)


def _sheet(found: Regret) -> Sheet:
    from experiments.regret.estimates import GOAL, LAST, WITHIN
    from experiments.sheets import Sheet

    rows = [
        (
            row.policy,
            *(f"{100 * x.estimate:+.3f}" for x in (row.calm, row.broken)),
            *(_percent(x) for x in (row.gain, row.adapted)),
            _share(row.recovered),
        )
        for row in found.rows
    ]
    lost = found.loss
    told: tuple[str, ...] = (
        f"Months {WITHIN - LAST + 1} to {WITHIN} after the break, welfare flow against the status "
        "quo, % of income; intervals are 95 %, over cities (and seeds where there are several).",
        f"The frozen policy ({found.rows[0].policy}) loses {_percent(lost)} against "
        f"{found.against}; an adaptive policy should recover at least {GOAL:.0%} of it.",
    )
    if lost.low <= 0:
        told += ("That is not above zero for certain: there is no loss to recover.",)
    return Sheet(
        "Regret after an unannounced regime change",
        (
            "policy",
            ">without",
            ">with break",
            ">gain over frozen",
            ">of it by the break",
            ">recovered",
        ),
        rows,
        told,
    )


def _percent(x: Interval) -> str:
    return f"{100 * x.estimate:+.3f} ({100 * x.low:+.3f} to {100 * x.high:+.3f})"


def _share(x: Interval | None) -> str:
    return "-" if x is None else f"{x.estimate:.0%} ({x.low:.0%} to {x.high:.0%})"


def register(app: typer.Typer) -> None:
    app.command("regret")(regret)
