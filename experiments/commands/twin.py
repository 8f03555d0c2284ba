"""`polislab twin`: fit the mirrored twin of a city, and score its forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

app = typer.Typer(help="The mirrored twin of a city.", no_args_is_help=True)

CityArgument = Annotated[str, typer.Argument(help="Name or folder of a city package.")]
MembersOption = Annotated[
    int | None, typer.Option(help="Ensemble members (default: configs/twin/default.yaml).")
]


@contextmanager
def watched(label: str, total: int) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for workers that report (what, done, of)."""
    from experiments.progress import progress

    with progress(label, total, "years") as tick:
        seen = 0

        def report(what: str, done: int, of: int) -> None:
            nonlocal seen
            while seen < done:
                tick()
                seen += 1

        yield report
        while seen < total:
            tick()
            seen += 1


def fitted(city: str, members: int | None, until: int | None = None) -> Any:
    """Fit a twin with a progress bar; bad input becomes an ``InputError``."""
    from envs.twin.packages import PackageError, find_city, read_package
    from envs.twin.settings import load_settings
    from envs.twin.twin import fit
    from experiments.errors import InputError

    try:
        settings = load_settings(members=members)
        years = read_package(find_city(city)).observations["year"]
        last = min(until or int(years.max()), int(years.max()))
        with watched("assimilating", last - int(years.min())) as report:
            return fit(city, settings, until, report)
    except PackageError as error:
        raise InputError(error.problems) from None
    except ValueError as error:
        raise InputError(str(error)) from None


def scored(twin: Any, origins: list[int], horizons: list[int]) -> list[Any]:
    """Backtest with a progress bar."""
    from envs.twin.backtest import backtest
    from experiments.errors import InputError

    try:
        with watched("forecasting", len(origins)) as report:
            return backtest(twin, origins, horizons, report)
    except ValueError as error:
        raise InputError(str(error)) from None


def usual_origins(twin: Any) -> list[int]:
    """The last seven years before the newest from which there is something to forecast."""
    last = twin.last_year
    return list(range(max(min(twin.analyses) + 2, last - 7), last))


def score_table(rows: list[Any]) -> Any:
    """Scores for the terminal: the smallest error of a row is marked."""
    from rich.table import Table

    table = Table(title="Mean absolute log error of forecasts (* smallest)")
    for head in ("variable", "part", "years", "n", "twin", "persistence", "drift"):
        table.add_column(head, justify="left" if head in ("variable", "part") else "right")
    table.add_column("CRPS skill", justify="right")
    table.add_column("in 90 % interval", justify="right")
    for row in rows:
        errors = (row.twin, row.persistence, row.drift)
        best = min(errors)
        table.add_row(
            row.variable,
            row.part,
            str(row.horizon),
            str(row.n),
            *(f"{'*' if error == best else ''}{error:.4f}" for error in errors),
            f"{row.crps_skill:+.2f}",
            f"{row.coverage90:.0%}",
        )
    return table


@app.command("fit")
def fit(
    city: CityArgument,
    out: Annotated[Path | None, typer.Option(help="Folder for the fitted twin.")] = None,
    members: MembersOption = None,
    until: Annotated[
        int | None, typer.Option(help="Use figures up to this year only (default: all).")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Fit the twin year by year; `city=FOLDER` then trains on draws of it.

    Example: polislab twin fit london --out runs/twins/london
    """
    from envs.twin import posterior
    from envs.twin.twin import posterior_city, summary

    check_json(json)
    twin = fitted(city, members, until)
    folder = out or Path("runs") / "twins" / twin.name
    facts = summary(twin)
    posterior.save(posterior_city(twin), facts, folder)
    _show_fit(facts)
    typer.echo(f"The twin lies in {folder}")
    emit({**facts, "folder": str(folder)}, json)


def _show_fit(facts: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"Twin of {facts['city']}: how each year's city means fell")
    table.add_column("year")
    table.add_column("innovation squared / expected", justify="right")
    table.add_column("expected / realised size", justify="right")
    for row in facts["innovations"]:
        table.add_row(str(row["year"]), f"{row['normalised']:.2f}", f"{row['spread_to_rmse']:.2f}")
    show(table)


@app.command("backtest")
def backtest(
    city: CityArgument,
    origins: Annotated[str, typer.Option(help="First and last origin year, FIRST:LAST.")] = (
        "2008:2014"
    ),
    horizons: Annotated[str, typer.Option(help="Years ahead, separated by commas.")] = "1,3",
    members: MembersOption = None,
    json: JsonOption = None,
) -> None:
    """Score the twin against persistence and drift from rolling origins.

    At an origin the twin sees only what was available at the end of that year.

    Example: polislab twin backtest london --origins 2008:2014 --horizons 1,3 --json scores.json
    """
    check_json(json)
    years, ahead = _span(origins), _numbers(horizons)
    twin = fitted(city, members)
    rows = scored(twin, years, ahead)
    show(score_table(rows))
    emit({"city": twin.name, "rows": [row.as_dict() for row in rows]}, json)


def _span(text: str) -> list[int]:
    from experiments.errors import InputError

    first, colon, last = text.partition(":")
    if not (colon and first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise InputError(f"--origins {text}: expected FIRST:LAST, for example 2008:2014")
    return list(range(int(first), int(last) + 1))


def _numbers(text: str) -> list[int]:
    from experiments.errors import InputError

    parts = text.split(",")
    if not all(part.isdigit() and int(part) >= 1 for part in parts):
        raise InputError(f"--horizons {text}: expected years ahead, for example 1,3")
    return [int(part) for part in parts]


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="twin")
