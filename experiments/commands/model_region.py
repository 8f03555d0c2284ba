"""`polislab model region`: a city whose districts are cities, shown on two levels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.model import app
from experiments.commands.output import JsonOption, check_json, emit, show
from experiments.errors import InputError


@app.command("region")
def region(
    city: Annotated[
        str, typer.Argument(help="synthetic, a name of `city list`, or a package's folder.")
    ] = "synthetic",
    hold: Annotated[
        list[str] | None,
        typer.Option(metavar="DISTRICT", help="District that is a city of its own; repeatable."),
    ] = None,
    inner: Annotated[int, typer.Option(min=3, max=50, help="Districts inside each.")] = 6,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="LEVER=VALUE", help="A lever of the whole."),
    ] = None,
    months: Annotated[int, typer.Option(min=1, max=1200, help="Months to simulate.")] = 60,
    districts: Annotated[
        int, typer.Option(min=3, max=400, help="Districts of a synthetic city.")
    ] = 9,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw both levels to FILE (PNG).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Run a metropolitan region: levers of the whole are felt inside, life inside by the whole.

    The inside of a district is made up: its people and land, spread like a small city. A lever
    of one inner district is named d4.2, of district d4 as a whole d4.

    Example: polislab model region --hold d4 --set transit=1.5 --set 'staff[d4.0]=1.8' --plot r.png
    """
    from dataclasses import asdict

    from agents.files import write_atomic
    from envs.city.region import Region, inner_panel
    from experiments import region as worker
    from experiments.progress import progress
    from experiments.worlds import load_world

    check_json(json)
    if plot is not None and (plot.is_dir() or not plot.parent.is_dir()):
        raise InputError(f"--plot {plot}: not a file in an existing folder")
    world = load_world(city, districts)
    held = _held(hold or [world.codes[len(world.codes) // 2]], world.codes)
    texts, detail = _split(settings or [], [world.codes[i] for i in held], inner)
    whole = world.policy(texts)
    made = Region(world.city, {i: inner_panel(world.city, i, inner, seed=i) for i in held})
    inside = {
        i: _inside(made, i, detail[world.codes[i]], whole) for i in held if detail[world.codes[i]]
    }
    with progress("simulating", 2 * months, "months") as tick:
        result = worker.simulate(made, whole, months, world.codes, inside, tick)
    title = f"{world.title}, {', '.join(settings or ['status quo'])}: month {months}"
    for level in (result.whole, *result.parts.values()):
        show(_table(level, title))
    show(f"Welfare of the whole against the status quo: {100 * result.welfare:+.3f} % of income")
    if plot is not None:
        write_atomic(plot, worker.picture(result, title))
        show(f"Picture: {plot}")
    levels = {"whole": result.whole} | {world.codes[i]: x for i, x in result.parts.items()}
    emit(
        {
            "welfare": result.welfare,
            "levels": {
                name: {k: v.tolist() if hasattr(v, "tolist") else v for k, v in asdict(x).items()}
                for name, x in levels.items()
            },
        },
        json,
    )


def _held(names: list[str], codes: tuple[str, ...]) -> list[int]:
    """Indices of the held districts."""
    from agents.schema import closest

    unknown = [name for name in names if name not in codes]
    if unknown:
        raise InputError(
            [f"--hold {name}: no such district; {closest(name, codes)}" for name in unknown]
        )
    return sorted({codes.index(name) for name in names})


def _split(texts: list[str], held: list[str], inner: int) -> tuple[list[str], dict[str, list[str]]]:
    """Settings of the whole, and of the inside of each held district (``d4.2`` becomes ``d2``)."""
    whole: list[str] = []
    detail: dict[str, list[str]] = {code: [] for code in held}
    for text in texts:
        owner = next((c for c in held if f"[{c}." in text or f",{c}." in text), None)
        if owner is None:
            whole.append(text)
        else:
            detail[owner].append(text.replace(f"{owner}.", "d"))
    return whole, detail


def _inside(made: Any, district: int, texts: list[str], whole: dict[str, Any]) -> dict[str, Any]:
    """District levers inside a part ``[1, d, ...]``: those of the whole, then the detail."""
    from envs.city.levers import LEVERS, SHAPES
    from experiments.simulate import parse_settings

    count = made.parts[district].city.districts
    parsed = parse_settings(texts, [f"d{index}" for index in range(count)])
    city_wide = [name for name in parsed if "D" not in SHAPES[LEVERS[name].shape]]
    if city_wide:
        raise InputError(f"--set {city_wide[0]}: is one setting for the whole, not for a district")
    found = {}
    for name, value in parsed.items():
        start = whole[name][:, district : district + 1].expand(1, count, *value.shape[1:])
        changed = value.unsqueeze(0) != LEVERS[name].default
        found[name] = value.unsqueeze(0).where(changed, start)
    return found


def _table(level: Any, title: str) -> Any:
    from rich.table import Table

    shown = Table(title=f"{level.name}: {title}")
    shown.add_column("district")
    for head in ("residents", "change", "commute, minutes"):
        shown.add_column(head, justify="right")
    for code, people, change, minutes in zip(
        level.codes, level.people, level.change, level.minutes, strict=True
    ):
        shown.add_row(code, f"{people:,.0f}", f"{100 * change:+.2f} %", f"{minutes:+.2f}")
    return shown
