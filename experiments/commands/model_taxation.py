"""`polislab model taxation`: a learned income tax against Saez's formula."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.model import app
from experiments.commands.output import (
    JsonOption,
    check_files,
    check_json,
    command_line,
    emit,
    relative,
    show,
)

#: Block of seeds whose cities are scored on, and nothing else.
HELD_OUT = 70_000_000


@app.command("taxation")
def taxation(
    cities: Annotated[int, typer.Option(min=2, max=512, help="Cities to score on.")] = 24,
    districts: Annotated[
        int | None, typer.Option(min=3, max=400, help="Districts of a city (9).")
    ] = None,
    first_seed: Annotated[
        int, typer.Option(min=10_000_000, help="Of the first city scored on.")
    ] = HELD_OUT,
    dynamics: Annotated[str, typer.Option(help="Preset of exogenous shocks.")] = "shocks",
    seed: Annotated[int, typer.Option(min=0, help="Of what is learnt.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Hardly learn: a rough look.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture to FILE (PNG).")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page to FILE (Markdown).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Compare a learned income tax with Saez's formula on held-out synthetic cities.

    The elasticity of taxable income is estimated in each city; both are scored by Atkinson at an
    aversion of 0, 1 and 2, on the whole path and once people have adapted. Takes some three
    minutes.

    Example: polislab model taxation --json taxation.json --plot taxation.png
    """
    import torch

    from envs.city.dynamics import PRESETS
    from experiments import taxation as worker
    from experiments.errors import InputError
    from experiments.progress import progress
    from experiments.sheets import terminal
    from experiments.taxation import report

    check_json(json)
    check_files(plot=plot, markdown=markdown)
    if dynamics not in PRESETS:
        raise InputError(f"--dynamics {dynamics}: expected one of {', '.join(PRESETS)}")
    torch.set_num_threads(1)
    work = worker.effort("quick" if quick else "default")
    study = worker.Study(work, cities, first_seed, districts, seed, dynamics)
    with progress("taxing", worker.units(), "schedules") as tick:
        found = worker.measure(study, tick)
    for sheet in report.sheets(found):
        show(terminal(sheet))
        for note in sheet.notes:
            show(note)
    for line in report.readings(found):
        show(line.replace("**", ""))
    title = (
        "synthetic cities" if districts is None else f"synthetic cities of {districts} districts"
    )
    if plot is not None:
        from agents.files import write_atomic
        from experiments.taxation.chart import chart

        write_atomic(plot, chart(found, f"Income tax, {cities} held-out {title}"))
        show(f"Picture: {plot}")
    if markdown is not None:
        from agents.files import write_atomic

        text = report.page(found, title, command_line(), relative(plot, markdown))
        write_atomic(markdown, text.encode())
        show(f"Page: {markdown}")
    emit(found.as_dict(), json)
