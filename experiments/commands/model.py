"""`polislab model`: the tables that the city model is built on, and what its levers are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

app = typer.Typer(help="The city model: levers, parameters, free lunches.", no_args_is_help=True)


@app.command("levers")
def levers(json: JsonOption = None) -> None:
    """List the levers: who holds them, bounds, today's setting, delay and counter-effect.

    Example: polislab model levers --json levers.json
    """
    from envs.city.levers import LEVERS

    check_json(json)
    records = [asdict(lever) for lever in LEVERS.values()]
    columns = ("name", "governor", "shape", "low", "default", "high", "unit", "delay", "counter")
    show(_table("Levers of the city model", columns, records))
    emit(records, json)


@app.command("parameters")
def parameters(
    block: Annotated[str | None, typer.Option(help="Only the parameters of one block.")] = None,
    json: JsonOption = None,
) -> None:
    """List the parameters: default, range, unit and source; checked against it; solved by city.

    Example: polislab model parameters --block planning
    """
    from agents.schema import closest
    from envs.city.parameters import TABLE
    from experiments.errors import InputError

    check_json(json)
    blocks = {parameter.block for parameter in TABLE.values()}
    if block is not None and block not in blocks:
        raise InputError(f"--block: unknown block {block!r}; {closest(block, blocks)}")
    records = [asdict(p) for p in TABLE.values() if block in (None, p.block)]
    columns = ("name", "default", "low", "high", "unit", "meaning", "source", "checked", "solved")
    title = "Parameters of the city model" + (f", block {block}" if block else "")
    show(_table(title, columns, records))
    show(f"solved: city by city, see `model neutral`. Blocks: {', '.join(sorted(blocks))}.")
    emit(records, json)


@app.command("neutral")
def neutral(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ],
    districts: Annotated[
        int | None, typer.Option(min=3, max=400, help="Districts of a synthetic city (9).")
    ] = None,
    constant: Annotated[
        bool,
        typer.Option("--constant", help="Also each lever at its bounds and the best plan."),
    ] = False,
    starts: Annotated[int, typer.Option(min=1, max=1000, help="Searches for a plan.")] = 10,
    iterations: Annotated[int, typer.Option(min=1, help="Gradient steps of a search.")] = 25,
    horizon: Annotated[int, typer.Option(min=1, help="Months that a plan is held.")] = 120,
    months: Annotated[
        int, typer.Option(min=12, help="Months simulated before the perpetuity.")
    ] = 360,
    write: Annotated[
        bool, typer.Option("--write", help="Solve the neutral prior anew and keep it.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables to FILE (Markdown).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Show what each lever is worth at today's policy: none may be a free lunch.

    Takes under a minute; with --constant some ten minutes more.

    Example: polislab model neutral london --json neutral.json
    """
    import torch

    from experiments import neutral as worker
    from experiments import neutral_report as reports
    from experiments.errors import InputError
    from experiments.progress import progress

    check_json(json)
    if markdown is not None and (markdown.is_dir() or not markdown.parent.is_dir()):
        raise InputError(f"--markdown {markdown}: not a file in an existing folder")
    torch.set_num_threads(1)
    home = worker.prior_file(city, districts) if write else None
    world = worker.calibrated(city, districts)
    if home is not None:
        with progress("solving", worker.NEWTON_STEPS, "steps") as tick:
            world = worker.solve_and_keep(world, home, tick)
        show(f"Neutral prior: {home}")
    with progress("valuing levers", 1, "passes") as tick:
        levers = worker.lever_values(world, months)
        tick()
    bounds, plan = [], None
    if constant:
        with progress("levers at their bounds", worker.steps(horizon), "steps") as tick:
            bounds = worker.bounds(world, horizon, tick)
        with progress("best constant plan", iterations + 1, "iterations") as tick:
            plan = worker.constant(world, starts, iterations, horizon, tick)
    report = reports.Report(
        city=city,
        districts=world.districts,
        months=months,
        horizon=horizon,
        levers=levers,
        solved=worker.solved_values(world),
        bounds=bounds,
        constant=plan,
    )
    found = reports.sheets(report)
    for sheet in found:
        show(_sheet(sheet))
        for note in sheet.notes:
            show(note)
    if markdown is not None:
        from agents.files import write_atomic

        write_atomic(markdown, reports.markdown(found).encode())
    emit(report.as_dict(), json)


def _sheet(sheet: Any) -> Any:
    from rich.table import Table

    shown = Table(title=sheet.title)
    for column in sheet.columns:
        if column.startswith(">"):
            shown.add_column(column[1:], justify="right", no_wrap=True)
        else:
            shown.add_column(column, no_wrap=column == sheet.columns[0])
    for row in sheet.rows:
        shown.add_row(*row)
    return shown


def _table(title: str, columns: Sequence[str], records: Sequence[dict[str, Any]]) -> Any:
    from rich.table import Table

    shown = Table(title=title)
    for column in columns:
        numeric = isinstance(records[0][column], float | int)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for record in records:
        shown.add_row(*[_text(record[column]) for column in columns])
    return shown


def _text(value: Any) -> str:
    """A cell: numbers short, lists of numbers with spaces, flags in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return " ".join(_text(entry) for entry in value)
    return f"{value:g}" if isinstance(value, float | int) else str(value)


PARTS = ("model_coupling", "model_credit", "model_verify")
"""Modules of this package that add commands to `app`."""


def register(parent: typer.Typer) -> None:
    for part in PARTS:
        import_module(f"experiments.commands.{part}")
    parent.add_typer(app, name="model")
