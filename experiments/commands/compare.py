"""`polislab compare`: learners beside each other, with training seeds as the unit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.output import JsonOption, check_files, check_json, complain, emit, show


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders, folders that hold some, or patterns (*).")
    ],
    scenario: Annotated[
        str | None, typer.Option(help="Keep only the runs of this scenario.")
    ] = None,
    score: Annotated[
        str, typer.Option(help="Rank by welfare or reward, which is what the agents are paid.")
    ] = "welfare",
    cities: Annotated[
        int | None, typer.Option(min=2, max=10_000, help="Score all on this many held-out cities.")
    ] = None,
    first_seed: Annotated[
        int | None, typer.Option(min=10_000_000, help="First seed of those cities.")
    ] = None,
    mix: Annotated[
        bool, typer.Option("--mix", help="Compare runs of different worlds, each in its own.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Score anew what the runs themselves evaluated.")
    ] = False,
    clairvoyant: Annotated[
        int,
        typer.Option(
            min=0,
            max=10_000,
            metavar="N",
            help="Also plan for each held-out city with its future known, in N gradient steps.",
        ),
    ] = 0,
    informed: Annotated[
        int,
        typer.Option(
            min=0,
            max=10_000,
            metavar="N",
            help="Also plan anew each year with each city known but not its future, in N steps.",
        ),
    ] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture to FILE (PNG).")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an interactive page to FILE.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Compare finished runs by configuration: interquartile means, paired differences, profiles.

    Runs of one configuration are one row, their seeds the unit. Status quo, random and the best
    rule (chosen on other cities) are always there. A run's own evaluation is used where it was
    made by this code on the same cities; others are played again. With --score reward, all is by
    the agents' own reward, which runs of one world share. With --clairvoyant 60, a second table
    says how much of what is earned by knowing the future a policy earns without it; with
    --informed 10, how much of it one would who knows the city and its present.

    Example: polislab compare 'runs/train/*/seed-*' --plot compare.png --html compare.html
    """
    import torch

    from experiments import compare as lab
    from experiments.compare.gap import content, gaps
    from experiments.compare.measure import measure_of
    from experiments.compare.report import readings, sheets
    from experiments.progress import progress
    from experiments.sheets import terminal

    check_json(json)
    check_files(plot=plot, html=html)
    torch.set_num_threads(1)
    groups = lab.collect(runs, scenario, cities, first_seed, mix, measure_of(score))
    plan = lab.Plan(groups, fresh, clairvoyant, informed)
    with progress("scoring", plan.episodes, "episodes") as tick:
        found = lab.score(plan, tick)
    complain(found.warnings, "warning")
    for sheet in sheets(found):
        show(terminal(sheet))
        for note in sheet.notes:
            show(note)
    for line in readings(found):
        show(line)
    if plot is not None or html is not None:
        lab.draw(found, plan.collection.groups, plot, html)
    emit(found.content() | {"gaps": content(gaps(found))}, json)


def register(app: typer.Typer) -> None:
    app.command("compare")(compare)
