"""`polislab city`: packages of public figures that a twin is fitted to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from experiments.commands.output import JsonOption, check_json, emit, show

app = typer.Typer(help="City packages.", no_args_is_help=True)


@app.command("list")
def list_cities(json: JsonOption = None) -> None:
    """List the cities that `city=NAME` accepts; POLISLAB_CITY_PATH adds folders of packages.

    Example: polislab city list
    """
    from rich.table import Table

    from envs.twin import packages
    from experiments.errors import InputError

    check_json(json)
    try:
        records = [entry.as_dict() for entry in packages.list_cities()]
    except packages.PackageError as error:
        raise InputError(error.problems) from None
    shown = Table(title="City packages")
    for head in ("name", "title", "districts", "series", "years", "folder"):
        shown.add_column(head, overflow="fold")
    for row in records:
        years = f"{row['first_year']}-{row['last_year']}"
        counts = [str(row["districts"]), str(row["series"]), years]
        unreadable = [row["problem"], "", ""]
        shown.add_row(
            row["name"], row["title"], *(unreadable if row["problem"] else counts), row["folder"]
        )
    show(shown)
    emit(records, json)


@app.command("check")
def check(
    city: Annotated[str, typer.Argument(help="Name or folder of a city package.")],
    json: JsonOption = None,
) -> None:
    """Check a city package: every problem at once, with file, row and column.

    Example: polislab city check configs/city/london
    """
    from envs.twin import packages
    from experiments.errors import InputError

    check_json(json)
    try:
        package = packages.read_package(packages.find_city(city))
    except packages.PackageError as error:
        emit({"valid": False, "city": city, "problems": error.problems}, json)
        raise InputError(error.problems) from None
    content = packages.describe(package)
    show(_table(content))
    for warning in package.warnings:
        show(f"note: {warning}")
    show(f"{package.title}: valid")
    emit({"valid": True, **content}, json)


COLUMNS = ("variable", "kind", "unit", "interval", "first_year", "last_year", "figures", "missing")


def _table(content: dict[str, Any]) -> Any:
    """Coverage of every series."""
    from rich.table import Table

    shown = Table(title=f"{content['title']}: {content['districts']} districts")
    for head in COLUMNS:
        shown.add_column(head.replace("_", " "))
    for row in content["series"]:
        share = f"{100 * row['missing']:.1f} %"
        shown.add_row(*[str(row[key]) for key in COLUMNS[:-1]], share)
    return shown


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="city")
