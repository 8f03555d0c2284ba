"""`polislab simulate`: what levers do, without learning."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show


def simulate(
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="LEVER=VALUE",
            help="A lever in physical units; LEVER[CELL] for one district, service or sector.",
        ),
    ] = None,
    city: Annotated[
        str, typer.Option(help="synthetic, study, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    districts: Annotated[
        int | None,
        typer.Option(min=3, max=400, help="Districts of a synthetic city (9; of the study 33)."),
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=1200, help="Months to simulate.")] = 60,
    dynamics: Annotated[
        str, typer.Option(help="How the fundamentals move: steady, trend, shocks or crisis.")
    ] = "steady",
    seed: Annotated[int, typer.Option(min=0, help="Of the synthetic city and the shocks.")] = 0,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a chart to FILE (PNG).")
    ] = None,
    life_cycle: Annotated[
        bool,
        typer.Option(
            "--life-cycle",
            help="Also follow what the levers build: requested, paid, in the pipeline, standing, "
            "in which condition. With --plot in a second chart.",
        ),
    ] = False,
    json: JsonOption = None,
) -> None:
    """Hold levers at fixed settings and compare the city with its status quo.

    `polislab model levers` lists the levers with their units and bounds.

    Example: polislab simulate --city london --set toll=0.002 --months 60 --plot toll.png

    Example: polislab simulate --city london --set road=2 --months 120 --life-cycle
    """
    from experiments import simulate as worker
    from experiments.progress import progress
    from experiments.worlds import load_world

    check_json(json)
    _check(city, dynamics, plot)
    world = load_world(city, districts, seed)
    currency = world.currency
    requested = worker.parse_settings(settings or [], world.codes)
    with progress("simulating", months, "months") as tick:
        stocks = worker.driven(requested) if life_cycle else ()
        result = worker.simulate(world.city, requested, months, dynamics, seed, tick, stocks)
    heading = f"{world.title}, {', '.join(settings or ['status quo'])}"
    changes = result.changes(currency)
    show(_table(changes, f"{heading}: month {months}"))
    show(f"Welfare against the status quo: {100 * result.welfare.mean():+.3f} % of income (mean)")
    if life_cycle:
        show(_stages(result.life_cycle, months, f"{heading}: life cycle, 1 = first year"))
    if plot is not None:
        from agents.files import write_atomic
        from experiments.simulate_chart import chart, life_cycle_chart

        write_atomic(plot, chart(result, heading, currency))
        show(f"Chart: {plot}")
        if life_cycle:
            second = plot.with_stem(f"{plot.stem}-life-cycle")
            write_atomic(second, life_cycle_chart(result, heading))
            show(f"Chart: {second}")
    emit(
        {
            "city": city,
            "settings": settings or [],
            "months": months,
            "dynamics": dynamics,
            "seed": seed,
            "horizon": changes,
            "welfare": result.welfare.tolist(),
            "series": {name: series.tolist() for name, series in result.indicators.items()},
            "life_cycle": {
                name: {stage: path.tolist() for stage, path in lines.items()}
                for name, lines in result.life_cycle.items()
            },
        },
        json,
    )


def _check(city: str, dynamics: str, plot: Path | None) -> None:
    """Refuse a bad city, preset or picture before any work is done."""
    from agents.schema import closest
    from envs.city.dynamics import PRESETS
    from experiments.cities import city_fault
    from experiments.errors import InputError

    problems = []
    if fault := city_fault(city):
        problems.append(f"--city: {fault}")
    if dynamics not in PRESETS:
        problems.append(f"--dynamics: unknown choice {dynamics!r}; {closest(dynamics, PRESETS)}")
    if plot is not None and (plot.is_dir() or not plot.parent.is_dir()):
        problems.append(f"--plot {plot}: not a file in an existing folder")
    if problems:
        raise InputError(problems)


def _table(changes: list[dict[str, Any]], title: str) -> Any:
    """Indicators in the last month beside the status quo."""
    from rich.table import Table

    shown = Table(title=title)
    for head in ("subsystem", "indicator", "unit"):
        shown.add_column(head)
    for head in ("status quo", "with levers", "change"):
        shown.add_column(head, justify="right")
    for row in changes:
        change = f"{100 * row['change']:+.2f} %" if row["relative"] else f"{row['change']:+.4f}"
        values = (_number(row["status_quo"]), _number(row["with_levers"]), change)
        shown.add_row(row["subsystem"], row["indicator"], row["unit"], *values)
    return shown


def _stages(life_cycle: Mapping[str, Mapping[str, Any]], months: int, title: str) -> Any:
    """The five stages of each stock with the levers, at some months."""
    from rich.table import Table

    from experiments.simulate import SET, milestones

    shown = Table(title=title)
    shown.add_column("stock")
    shown.add_column("stage")
    picked = milestones(months)
    for month in picked:
        shown.add_column(f"{month}", justify="right")
    for name, lines in life_cycle.items():
        for number, (stage, path) in enumerate(lines.items()):
            label = "" if number else name.replace("_", " ")
            shown.add_row(label, stage, *[f"{path[SET, month - 1]:.3f}" for month in picked])
        shown.add_section()
    return shown


def _number(value: float) -> str:
    """Four digits, or all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def register(app: typer.Typer) -> None:
    app.command("simulate")(simulate)
