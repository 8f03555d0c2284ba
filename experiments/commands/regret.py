"""`polislab regret`: what a regime change costs, and what policies that adapt win back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.output import (
    JsonOption,
    check_files,
    check_json,
    command_line,
    emit,
    relative,
    show,
)
from experiments.errors import InputError

if TYPE_CHECKING:
    from experiments.config import Config


def regret(
    policies: Annotated[
        list[str],
        typer.Argument(
            metavar="POLICY... [KEY=VALUE]...",
            help="Names of rules, run or policy folders, the frozen policy first; and overrides of "
            "the first run's configuration (of configs/train.yaml where there are rules alone).",
        ),
    ],
    regime: Annotated[
        list[str] | None, typer.Option(help="What breaks, once for each table (parameters).")
    ] = None,
    month: Annotated[int, typer.Option(min=3, help="Months lived before the break.")] = 60,
    within: Annotated[
        int, typer.Option(min=3, help="Months after the break in which to recover.")
    ] = 24,
    strength: Annotated[
        float, typer.Option(min=0.0, max=2.0, help="Of the break; 1 is the usual one.")
    ] = 1.0,
    cities: Annotated[int, typer.Option(min=2, max=10_000, help="Held-out cities.")] = 20,
    climb: Annotated[
        int, typer.Option(min=0, help="Gradient steps of the oracle; 0 leaves it out.")
    ] = 30,
    estimates: Annotated[
        int,
        typer.Option(
            min=0,
            help="Steps of each estimate of the self-tuning planner; 0 leaves it out.",
        ),
    ] = 10,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture to FILE (PNG).")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page to FILE (Markdown).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure regret after a break that nobody announces, and how much of it others recover.

    All meet the same held-out cities and shocks with and without the break. Loss: what the frozen
    policy earns less than an oracle, who plans by gradient knowing each city. Recovered: what
    another earns beyond the frozen one, over that loss; what it gains without the break too is no
    adaptation and is taken off both. Runs of one configuration are one policy, their seeds drawn
    with the cities. The self-tuning planner leaves the frozen policy alone until figures are not
    as its model of the city foresees; then it estimates the city's parameters and plans anew every
    step; re-planning is the same without estimates. Takes a minute or two for each regime, with
    these planners about six.

    Example: polislab regret pi adaptive_pi --regime evasion --plot regret.png

    Example: polislab regret RUN_FROZEN RUN_ADAPTIVE --regime parameters --regime evasion
    """
    import torch

    from experiments import config
    from experiments import regret as worker
    from experiments.progress import progress
    from experiments.regret import report
    from experiments.sheets import terminal

    check_json(json)
    check_files(plot=plot, markdown=markdown)
    struck = worker.Break(tuple(dict.fromkeys(regime or ["parameters"])), month, strength, within)
    names = [text for text in policies if "=" not in text]
    _check(names, struck.regimes)
    entries, base, made = worker.gather(names)
    loaded = config.load([text for text in policies if "=" in text], base=base)
    loaded = loaded.scored_on(loaded.settings.experiment.evaluation.first_seed, cities)
    scenario, effort = loaded.settings.scenario, worker.Climb(climb)
    tuning, step = worker.Tuning(estimates) if estimates else None, int(scenario["months_per_step"])
    problems = struck.problems(int(scenario["horizon"]), step)
    problems += tuning.problems(scenario) if tuning else []
    if problems:
        raise InputError(problems)
    torch.set_num_threads(loaded.settings.threads)
    with progress("playing", worker.work(entries, struck, tuning, effort, step), "steps") as tick:
        found = worker.flows(loaded, entries, struck, tuning, effort, tick)
    result = worker.estimate(found, struck, step)
    for sheet in report.sheets(result):
        show(terminal(sheet))
        for note in sheet.notes:
            show(note)
    for line in report.readings(result):
        show(line.replace("**", ""))
    title = _title(loaded)
    if plot is not None:
        from agents.files import write_atomic

        write_atomic(plot, worker.chart(result, f"Breaks of strength {strength:g}, {title}"))
        show(f"Picture: {plot}")
    if markdown is not None:
        from agents.files import write_atomic

        picture = relative(plot, markdown)
        text = report.page(result, title, tuning, effort, made, command_line(), picture)
        write_atomic(markdown, text.encode())
        show(f"Page: {markdown}")
    emit(result.content(), json)


def _check(names: list[str], regimes: tuple[str, ...]) -> None:
    """Refuse what no study could be of."""
    from envs.regime import BREAKS

    if not names:
        raise InputError("no policy named; an example: polislab regret pi adaptive_pi")
    if unknown := [name for name in regimes if name not in BREAKS]:
        raise InputError([f"--regime {name}: expected {' or '.join(BREAKS)}" for name in unknown])


def _title(loaded: Config) -> str:
    """The cities in words."""
    settings = loaded.settings
    cities = settings.experiment.evaluation
    return (
        f"{cities.cities} held-out cities ({settings.city}) from seed {cities.first_seed} on, "
        f"scenario {loaded.scenario}"
    )


def register(app: typer.Typer) -> None:
    app.command("regret")(regret)
