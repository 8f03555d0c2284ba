"""`polislab model participation`: what panels tell a city that complaints do not."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

COLUMNS = {
    "complaints": "needs in complaints",
    "voices": "needs in voices",
    "reached_silent": "silent reached",
    "reached_others": "others reached",
    "relief_silent": "relief of the silent",
    "overall": "welfare a step",
}


@app.command("participation")
def participation(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    worlds: Annotated[int, typer.Option(min=1, max=10_000, help="Cities, or futures of one.")] = 16,
    months: Annotated[int, typer.Option(min=3, help="Months of a run.")] = 120,
    exaggerate: Annotated[
        float, typer.Option(min=0, max=2, help="What panels add to the truth; 1 drowns it.")
    ] = 0.0,
    json: JsonOption = None,
) -> None:
    """Compare staff that follows panels' voices with staff that follows complaints.

    Needs in complaints and in voices: rank correlation over districts with the utility that
    short services cost. Reached: of residents whose services the status quo leaves short, the
    share that is better off; the silent are the types that complain least. Welfare in months of
    income a quarter, against the status quo.

    Example: polislab model participation london --worlds 8 --exaggerate 0.5
    """
    from rich.table import Table

    from experiments import participation as worker
    from experiments.cities import city_fault
    from experiments.errors import InputError

    check_json(json)
    if fault := city_fault(city):
        raise InputError(fault)
    found = worker.compare(city, worlds, months, exaggerate)
    shown = Table(title=f"{city}: {worlds} worlds, {months} months, panels add {exaggerate:g}")
    shown.add_column("staff follows")
    for head in COLUMNS.values():
        shown.add_column(head, justify="right")
    for rule, row in found.items():
        shown.add_row(rule, *[_text(row[key]) for key in COLUMNS])
    show(shown)
    content: dict[str, Any] = {"city": city, "worlds": worlds, "months": months, "rules": found}
    emit(content, json)


def _text(value: float) -> str:
    return f"{round(value, 5) + 0.0:.3g}"
