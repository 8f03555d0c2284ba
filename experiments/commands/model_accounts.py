"""`polislab model accounts`: who pays whom for what in a month, and whether it adds up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show


@app.command("accounts")
def accounts(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LEVER=VALUE", help="A lever in physical units."),
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=1200, help="Months to simulate.")] = 1,
    budget: Annotated[
        str, typer.Option(help="How the treasury pays: pooled, departments, boards or soft.")
    ] = "pooled",
    payments: Annotated[
        bool, typer.Option("--payments", help="Also every single payment by name.")
    ] = False,
    districts: Annotated[
        int, typer.Option(min=3, max=400, help="Districts of a synthetic city.")
    ] = 9,
    json: JsonOption = None,
) -> None:
    """Show the social accounting matrix of a month: rows receive, columns pay.

    Every entry is reckoned on its own, so that the books could fail to balance; a line below the
    table says by how much of its flows the worst account is off. Household types and sectors of
    firms are added up; the file has them one by one.

    Example: polislab model accounts london --set toll=0.003 --set subsidy=0.001 --months 60
    """
    from envs.city.accounts import ACCOUNTS, GROUPS
    from envs.city.treasury import MODES
    from experiments.accounts import balance
    from experiments.errors import InputError
    from experiments.worlds import load_world

    check_json(json)
    if budget not in MODES:
        raise InputError(f"--budget {budget}: expected one of {', '.join(MODES)}")
    world = load_world(city, districts)
    found = balance(world, settings or (), months, budget)
    first = found.matrix[0]
    head = f"{world.title}, month {months}, million {world.currency} a month"
    grouped = found.grouped()[0] / 1e3
    show(_matrix(tuple(GROUPS), grouped.tolist(), head))
    worst = int(found.gap[0].abs().argmax())
    off = float(found.gap[0, worst])
    show(
        f"Largest gap of the {len(ACCOUNTS)} accounts: {off:.1e} of its flows ({ACCOUNTS[worst]})."
    )
    records = [
        {
            "payer": entry.payer,
            "receiver": entry.receiver,
            "purpose": entry.purpose,
            "amount": float(entry.amount[0]),
        }
        for entry in found.payments
    ]
    if payments:
        show(_payments(records))
    emit(
        {
            "city": city,
            "settings": list(settings or ()),
            "month": months,
            "budget": budget,
            "unit": f"thousand {world.currency} a month",
            "accounts": list(ACCOUNTS),
            "matrix": first.tolist(),
            "gap": dict(zip(ACCOUNTS, found.gap[0].tolist(), strict=True)),
            "payments": records,
        },
        json,
    )


def _matrix(names: tuple[str, ...], cells: list[list[float]], title: str) -> Any:
    from rich.table import Table

    shown = Table(title=title)
    shown.add_column("receives from:", no_wrap=True)
    for place in range(1, len(names) + 1):
        shown.add_column(f"({place})", justify="right", no_wrap=True)
    shown.add_column("all", justify="right", no_wrap=True)
    for place, (name, row) in enumerate(zip(names, cells, strict=True), 1):
        shown.add_row(f"({place}) {name}", *[_amount(x) for x in (*row, sum(row))])
    shown.add_section()
    totals = [sum(column) for column in zip(*cells, strict=True)]
    shown.add_row("pays in all", *[_amount(x) for x in totals], "")
    return shown


def _payments(records: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    shown = Table(title="Payments, thousands a month")
    for column in ("payer", "receiver", "purpose"):
        shown.add_column(column)
    shown.add_column("amount", justify="right")
    for record in records:
        amount = f"{record['amount']:,.0f}"
        if amount.strip("-") != "0":
            shown.add_row(record["payer"], record["receiver"], record["purpose"], amount)
    return shown


def _amount(value: float) -> str:
    """Millions, one decimal below a hundred; nothing where nothing to speak of flows."""
    return "" if abs(value) < 0.05 else f"{value:,.{0 if abs(value) >= 100 else 1}f}"
