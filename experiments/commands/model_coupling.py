"""`polislab model coupling`: how much of a policy's outcome is interaction between the blocks."""

from __future__ import annotations

from typing import Annotated

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


@app.command("coupling")
def coupling(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LEVER=VALUE", help="A lever in physical units."),
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=1200, help="Months to simulate.")] = 60,
    districts: Annotated[
        int, typer.Option(min=3, max=400, help="Districts of a synthetic city.")
    ] = 9,
    json: JsonOption = None,
) -> None:
    """Take a policy's welfare apart: each block alone, all together, and what is interaction.

    A block alone responds while the ports of the other three stand still; commuting, budgets,
    valuation and the treasury are live throughout.

    Example: polislab model coupling london --set transit=2 --set far=1.5 --months 60
    """
    import torch

    from envs.city.coupling import COUPLED, coupling_curve, interaction
    from experiments.errors import InputError
    from experiments.worlds import load_world

    check_json(json)
    if not settings:
        raise InputError("--set: name at least one lever, for example --set transit=2")
    world = load_world(city, districts)
    policy = world.policy(settings, world.city.rows)
    with torch.no_grad():
        found = interaction(world.city, policy, months)
        curve = coupling_curve(world.city, policy, months, STRENGTHS)
    parts = {"direct (taxes and transfers, nobody responds)": found.direct}
    parts |= {f"{block} alone": found.alone[block] for block in COUPLED}
    parts |= {"interaction": found.interaction, "coupled city": found.coupled}
    table = {name: float(value.mean()) for name, value in parts.items()}
    show(_table(table, f"{world.title}, {', '.join(settings)}: {months} months"))
    steps = zip(STRENGTHS, curve.mean(1).tolist(), strict=True)
    show("By strength of coupling: " + ", ".join(f"{s:g} {w:+.4f}" for s, w in steps))
    emit(
        {
            "city": city,
            "settings": settings,
            "months": months,
            "parts": table,
            "curve": dict(zip(map(str, STRENGTHS), curve.mean(1).tolist(), strict=True)),
        },
        json,
    )


def _table(parts: dict[str, float], title: str) -> object:
    from rich.table import Table

    shown = Table(title=title, caption="welfare of incumbents, present value")
    shown.add_column("what responds")
    shown.add_column("months of income", justify="right")
    for name, value in parts.items():
        shown.add_row(name, f"{value:+.4f}", style="bold" if name == "coupled city" else "")
    return shown
