"""`polislab model measures`: what shows the eight concepts of a complex adaptive city."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show

LEAST_DISTRICTS = 4


@app.command("measures")
def measures(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LEVER=VALUE", help="A lever in physical units."),
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=1200, help="Months to simulate.")] = 60,
    dynamics: Annotated[
        str, typer.Option(help="How the fundamentals move: steady, trend, shocks or crisis.")
    ] = "shocks",
    districts: Annotated[
        int | None, typer.Option(min=LEAST_DISTRICTS, max=400, help="Of a synthetic city.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic city and the shocks.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture to FILE (PNG).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Measure the eight concepts in a city's first month and its last.

    Adaptive agents, aggregation, flows, nonlinearity, diversity, tags, internal models and
    building blocks; `polislab model concepts` says what each measure is.

    Example: polislab model measures london --set far=1.5 --plot measures.png
    """
    from agents.schema import closest
    from envs.city.dynamics import PRESETS
    from experiments import measures as worker
    from experiments.errors import InputError
    from experiments.progress import progress
    from experiments.worlds import load_world

    check_json(json)
    if dynamics not in PRESETS:
        raise InputError(f"--dynamics: unknown choice {dynamics!r}; {closest(dynamics, PRESETS)}")
    if plot is not None and (plot.is_dir() or not plot.parent.is_dir()):
        raise InputError(f"--plot {plot}: not a file in an existing folder")
    world = load_world(city, districts, seed)
    if world.city.districts < LEAST_DISTRICTS:
        raise InputError(
            f"{city}: {world.city.districts} districts, the measures need {LEAST_DISTRICTS}"
        )
    policy = world.policy(settings or [])
    with progress("simulating", months, "months") as tick:
        found = worker.read(world.city, policy, months, dynamics, seed, tick)
    heading = f"{world.title}, {', '.join(settings or ['today'])}, {dynamics}"
    show(_table(found.records(), months, heading))
    show(_matrix(found.matrix()))
    if plot is not None:
        from agents.files import write_atomic
        from experiments.measures_chart import chart

        write_atomic(plot, chart(found, f"{heading}: month {months}", world.codes))
        show(f"Picture: {plot}")
    emit(
        {
            "city": city,
            "settings": settings or [],
            "months": months,
            "dynamics": dynamics,
            "seed": seed,
            "measures": found.records(),
            "coupling": found.matrix(),
            "communities": dict(zip(world.codes, found.towns.labels.tolist(), strict=True)),
        },
        json,
    )


def _table(records: Sequence[dict[str, Any]], months: int, title: str) -> Any:
    """All measures by concept, in the first month and the last."""
    from experiments.sheets import Sheet, terminal

    rows: list[tuple[str, ...]] = []
    concept = ""
    for row in records:
        if row["concept"] != concept:
            concept = row["concept"]
            rows.append((f"{concept} {row['chinese']}", "", "", "", ""))
        values = (_number(row["first"]), _number(row["last"]))
        rows.append((f"  {row['measure']}", *values, row["unit"], row["meaning"]))
    columns = ("measure", ">month 1", f">month {months}", "=unit", "what it tells")
    return terminal(Sheet(title, columns, rows))


def _matrix(coupling: dict[str, dict[str, float | None]]) -> Any:
    from experiments.sheets import Sheet, terminal

    columns = ("ports disturbed", *(f">{name}" for name in coupling))
    rows = [(name, *(_number(x) for x in row.values())) for name, row in coupling.items()]
    title = "Port coupling: how far a disturbance of a block's ports moves other blocks in a year"
    return terminal(Sheet(title, columns, rows))


def _number(value: float | None) -> str:
    """Three digits; a dash where there is none; what is only rounding is zero."""
    if value is None:
        return "-"
    return "0" if abs(value) < 1e-9 else f"{value:.3g}"
