"""`polislab model gains`: where gains come from, and what knowing the future is worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.model import app
from experiments.commands.output import (
    JsonOption,
    check_json,
    command_line,
    emit,
    relative,
    show,
)
from experiments.errors import InputError


@app.command("gains")
def gains(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    districts: Annotated[
        int | None, typer.Option(min=3, max=400, help="Districts of a synthetic city (9).")
    ] = None,
    rows: Annotated[int, typer.Option(min=2, max=512, help="Futures to score on.")] = 16,
    months: Annotated[
        int, typer.Option(min=12, max=1200, help="Months that plans govern, whole years.")
    ] = 120,
    seed: Annotated[int, typer.Option(min=0, help="Of the futures and the searches.")] = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few gradient steps: a rough look.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture to FILE (PNG).")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page to FILE (Markdown).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure five sources of gain and the clairvoyant gap of every dynamics preset.

    Coordination, differentiation, adaptation, targeting and information, each the difference of
    two plans on futures that neither learnt from. The gap is what a plan that knows the future
    earns beyond one made in advance. Takes some ten minutes with nine districts.

    Example: polislab model gains synthetic --json gains.json --plot gains.png
    """
    from experiments import gains as worker
    from experiments.gains import report
    from experiments.progress import progress
    from experiments.worlds import load_world

    check_json(json)
    for option, file in (("--plot", plot), ("--markdown", markdown)):
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            raise InputError(f"{option} {file}: not a file in an existing folder")
    _check(city, districts, months)
    world = load_world(city, districts)
    work = worker.effort("quick" if quick else "default")
    with progress("searching plans", work.work, "steps") as tick:
        found = worker.measure(city, world.city, work, rows, months, seed, tick)
    for sheet in report.sheets(found):
        _show(sheet)
    for line in report.readings(found):
        show(line.replace("**", ""))
    if plot is not None:
        from agents.files import write_atomic
        from experiments.gains.chart import chart

        write_atomic(plot, chart(found, f"{world.title}, {rows} held-out futures"))
        show(f"Picture: {plot}")
    if markdown is not None:
        from agents.files import write_atomic

        text = report.page(found, world.title, command_line(), relative(plot, markdown))
        write_atomic(markdown, text.encode())
        show(f"Page: {markdown}")
    emit(found.as_dict(), json)


def _check(city: str, districts: int | None, months: int) -> None:
    """Refuse what no run could use."""
    from envs.twin import posterior
    from experiments.cities import PRESETS

    problems = []
    if months % 12:
        problems.append(f"--months {months}: expected whole years")
    if city not in PRESETS:
        if posterior.is_twin(city):
            problems.append(f"{city}: a fitted twin has many cities; name its package")
        if districts is not None:
            problems.append(f"--districts {districts}: only for synthetic cities")
    if problems:
        raise InputError(problems)


def _show(sheet: object) -> None:
    from experiments.sheets import Sheet, terminal

    assert isinstance(sheet, Sheet)
    show(terminal(sheet))
    for note in sheet.notes:
        show(note)
