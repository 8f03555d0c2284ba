"""`polislab model`: the tables that the city model is built on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

app = typer.Typer(help="The city model: its levers and its parameters.", no_args_is_help=True)


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
    """List the parameters: default, range, unit and source, and whether it was checked.

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
    columns = ("name", "default", "low", "high", "unit", "block", "meaning", "source", "checked")
    show(_table("Parameters of the city model", columns, records))
    emit(records, json)


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


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="model")
