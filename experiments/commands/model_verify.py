"""`polislab model verify`: limits of the model with known answers, beside its own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show


@app.command("verify")
def verify(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only this oracle; may be given repeatedly."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Check the model against the closed forms that it must reduce to: theory, ours, difference.

    Takes about a minute. Exit code 1 if a figure is further from theory than its tolerance.

    Example: polislab model verify --only pigou --only henry-george
    """
    from agents.schema import closest
    from experiments.errors import InputError
    from experiments.progress import progress
    from experiments.verify.table import ORACLES

    check_json(json)
    names = [oracle.name for oracle in ORACLES]
    unknown = [
        f"--only: unknown oracle {name!r}; {closest(name, names)}"
        for name in only or ()
        if name not in names
    ]
    if unknown:
        raise InputError(unknown)
    chosen = [oracle for oracle in ORACLES if not only or oracle.name in only]
    records: list[dict[str, Any]] = []
    with progress("verifying", len(chosen), "oracles") as tick:
        for oracle in chosen:
            rows = oracle.compute()
            records.append(
                {
                    "number": oracle.number,
                    "name": oracle.name,
                    "theory": oracle.theory,
                    "source": oracle.source,
                    "rows": [row.record() for row in rows],
                }
            )
            tick()
    for record in records:
        show(_table(record))
    results = [row["passed"] for record in records for row in record["rows"]]
    show(f"{sum(results)} of {len(results)} figures agree, {len(records)} oracles")
    emit(records, json)
    if not all(results):
        raise typer.Exit(1)


def _table(record: dict[str, Any]) -> Any:
    from rich.table import Table

    shown = Table(
        title=f"{record['number']}. {record['name']}: {record['theory']}",
        caption=record["source"],
        title_justify="left",
        width=118,
    )
    shown.add_column("case", ratio=1)
    for column in ("theory", "ours", "difference", "tolerance"):
        shown.add_column(column, justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for row in record["rows"]:
        unit = " rel." if row["relative"] else ""
        shown.add_row(
            row["case"],
            f"{row['theory']:.7g}",
            _figure(row["ours"], ".7g"),
            _figure(row["difference"], "+.1e") + unit,
            f"{row['tolerance']:.0e}{unit}",
            "pass" if row["passed"] else "FAIL",
            style=None if row["passed"] else "red",
        )
    return shown


def _figure(value: float | None, form: str) -> str:
    return "not finite" if value is None else format(value, form)
