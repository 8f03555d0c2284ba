"""City packages: how a city's real figures come in, checked whole before anything uses them.

A package is a folder in the Frictionless Data Package layout: ``datapackage.json``,
``districts.csv``, ``variables.csv``, ``observations.csv`` and, where they exist, ``actions.csv``
(what governments did), ``links.csv`` (travel times) and ``events.csv`` (dated interventions).
"""

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from envs.twin.cities import CityEntry, find_city, list_cities
from envs.twin.descriptor import FILE, Descriptor, read_descriptor
from envs.twin.package_checks import SERIES, check_tables
from envs.twin.problems import PackageError, Problems
from envs.twin.tables import number, text, workspace
from envs.twin.variables import lookup

__all__ = [
    "CityEntry",
    "CityPackage",
    "PackageError",
    "describe",
    "find_city",
    "list_cities",
    "month_index",
    "read_package",
]

_DTYPES = {
    "year": "int32",
    "month": "Int8",
    "value": "float64",
    "sd": "float64",
    "available": "int32",
}


@dataclass(frozen=True, eq=False)
class CityPackage:
    """A checked city package.

    Attributes:
        name: identifier of the city.
        title: as people read it.
        folder: where it was read from.
        currency: ISO 4217 code of its money, "" where no series is in money.
        content_hash: SHA-256 (hex) over the descriptor and every file it lists.
        licences: names of the licences of its figures.
        sources: titles of the sources of its figures.
        source_notes: what each source says it gave (names of series), in the order of ``sources``.
        districts: code, name, area_km2, x_km, y_km; one row a district, in the file's order.
        variables: name, kind, unit, subsystem, interval, lag_months; one row a series.
        observations: time (YYYY or YYYY-MM), year, month (missing for yearly series), district,
            variable, value (unit of its series), sd (missing where not given), available (month
            index 12 * year + month - 1 at whose end the figure is known).
        actions: the same with lever for variable; no rows where the package logs none.
        links: origin, destination, mode, minutes; None where not given.
        events: time_from, time_to, districts, name, lever, expected_sign; None where not given.
        warnings: what is odd but allowed.
    """

    name: str
    title: str
    folder: Path
    currency: str
    content_hash: str
    licences: tuple[str, ...]
    sources: tuple[str, ...]
    source_notes: tuple[str, ...]
    districts: pd.DataFrame
    variables: pd.DataFrame
    observations: pd.DataFrame
    actions: pd.DataFrame
    links: pd.DataFrame | None
    events: pd.DataFrame | None
    warnings: tuple[str, ...]

    def yearly(self, variable: str) -> pd.DataFrame:
        """One series or lever by year and district, in its unit.

        Rows are the years from its first to its last figure, columns the district codes in the
        order of ``districts``; missing figures are NaN. A monthly series is the mean of the months
        that are given. Where a figure was revised, the latest revision counts: a twin that must
        not look ahead asks the ledger instead.

        Raises:
            KeyError: no series or lever of this name; the message lists those there are.
        """
        kinds = dict(zip(self.variables["name"], self.variables["kind"], strict=True))
        if variable not in kinds:
            raise KeyError(f"no series {variable!r}; {self.name} has {', '.join(sorted(kinds))}")
        frame = self.observations if kinds[variable] == "observation" else self.actions
        column = "variable" if kinds[variable] == "observation" else "lever"
        rows = frame[frame[column] == variable].sort_values("available", kind="stable")
        latest = rows.drop_duplicates(["time", "district"], keep="last")
        return year_table(latest, list(self.districts["code"]))

    def checked(self) -> pd.DataFrame:
        """Coverage of each series: the rows of ``describe(package)["series"]`` as a table."""
        return pd.DataFrame(describe(self)["series"])

    def source_of(self, variable: str) -> str:
        """Titles of the sources that name the series, or of all of them where none does."""
        named = [
            title
            for title, note in zip(self.sources, self.source_notes, strict=True)
            if variable in note.replace(",", " ").replace(";", " ").split()
        ]
        return "; ".join(named or self.sources)


def month_index(date: datetime.date) -> int:
    """Months since the year 0: 12 * year + month - 1."""
    return 12 * date.year + date.month - 1


def year_table(rows: pd.DataFrame, districts: Iterable[str]) -> pd.DataFrame:
    """Mean of ``value`` by year (all from first to last) and district (in the order given)."""
    codes = pd.Index(list(districts), name="district")
    if rows.empty:
        return pd.DataFrame(
            index=pd.Index([], dtype="int64", name="year"), columns=codes, dtype=float
        )
    plain = rows.assign(district=rows["district"].astype(object))
    table = plain.pivot_table(index="year", columns="district", values="value", aggfunc="mean")
    years = pd.RangeIndex(int(table.index.min()), int(table.index.max()) + 1, name="year")
    return table.reindex(index=years, columns=codes).astype(float)


def read_package(folder: Path | str, now: datetime.date | None = None) -> CityPackage:
    """Read and check a city package; nothing is written, whatever it holds.

    Args:
        folder: the package, or its ``datapackage.json``.
        now: figures of later months are problems; default today.

    Raises:
        PackageError: with every problem at once, each naming file, row, column, value, and what
            was expected.
    """
    folder = Path(folder)
    folder = folder.parent if folder.name == FILE else folder
    problems = Problems()
    if not folder.is_dir():
        raise PackageError([f"{folder}: no such folder; expected a city package"], folder)
    descriptor = read_descriptor(folder, problems)
    if descriptor is None:
        raise PackageError(problems.lines(), folder)
    today = month_index(now or datetime.date.today())
    with workspace() as connection:
        currency = check_tables(
            connection, descriptor.paths, folder, descriptor.currency, today, problems
        )
        if problems:
            raise PackageError(problems.lines(), folder)
        return _package(connection, folder, descriptor, currency, tuple(problems.warnings))


def _package(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    descriptor: Descriptor,
    currency: str,
    warnings: tuple[str, ...],
) -> CityPackage:
    """Turn the checked tables of text into frames."""
    measures = ", ".join(f"{number(column)} AS {column}" for column in ("area_km2", "x_km", "y_km"))
    districts = connection.sql(f"SELECT code, name, {measures} FROM districts ORDER BY record").df()
    variables = connection.sql(
        """SELECT name, kind, unit, subsystem, interval,
            coalesce(TRY_CAST(lag_months AS INTEGER), 0) AS lag_months
        FROM variables ORDER BY record"""
    ).df()
    codes = tuple(districts["code"])
    frames = {}
    for name, (column, kind) in SERIES.items():
        names = tuple(variables.loc[variables["kind"] == kind, "name"])
        frames[name] = _figures(
            connection, name if name in descriptor.paths else "", column, codes, names
        )
    links = events = None
    if "links" in descriptor.paths:
        links = connection.sql(
            f"""SELECT origin, destination, mode, {number("minutes")} AS minutes
            FROM links ORDER BY record"""
        ).df()
    if "events" in descriptor.paths:
        events = connection.sql(
            """SELECT time_from, time_to, districts, name, lever,
                (CASE expected_sign WHEN '+' THEN 1 WHEN '-' THEN -1
                    ELSE expected_sign::INTEGER END)::INTEGER AS expected_sign
            FROM events ORDER BY record"""
        ).df()
    return CityPackage(
        name=descriptor.name,
        title=descriptor.title,
        folder=folder,
        currency=currency,
        content_hash=_content_hash(folder, descriptor.paths),
        licences=descriptor.licences,
        sources=tuple(title for title, _ in descriptor.sources),
        source_notes=tuple(note for _, note in descriptor.sources),
        districts=districts,
        variables=variables,
        observations=frames["observations"],
        actions=frames["actions"],
        links=links,
        events=events,
        warnings=warnings,
    )


def _figures(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    column: str,
    codes: tuple[str, ...],
    names: tuple[str, ...],
) -> pd.DataFrame:
    """Figures of one table in the file's order, with categories for names; empty without table."""
    columns = ["time", "year", "month", "district", column, "value", "sd", "available"]
    if not table or not names:
        types = {**_DTYPES, "time": "category", "district": "category", column: "category"}
        return pd.DataFrame({name: pd.Series(dtype=types[name]) for name in columns})
    times = connection.execute(f"SELECT DISTINCT time FROM {table} ORDER BY time").fetchall()
    levels = {"time": tuple(time for (time,) in times), "district": codes, "series": names}
    for level, values in levels.items():
        listed = ", ".join(text(value) for value in values)
        connection.execute(f"CREATE OR REPLACE TYPE {level}_level AS ENUM ({listed})")
    frame: pd.DataFrame = connection.sql(
        f"""SELECT time::time_level AS time, year, month, district::district_level AS district,
            series::series_level AS {column}, number AS value, spread AS sd,
            available_month AS available
        FROM {table}_read ORDER BY record"""
    ).df()
    return frame.astype(_DTYPES)


def _content_hash(folder: Path, paths: Mapping[str, Path]) -> str:
    """SHA-256 over the names and bytes of the descriptor and the listed files."""
    digest = hashlib.sha256()
    for path in [folder / FILE, *sorted(set(paths.values()))]:
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()


def describe(package: CityPackage) -> dict[str, Any]:
    """What a package holds, in plain values that serialise to JSON.

    Returns:
        name, title, folder, currency, content_hash, licences, sources, districts (number),
        observations and actions (numbers of figures), warnings, and ``series``: for each series
        variable, kind, unit, interval, known (to the model), first_year, last_year, districts
        (number with a figure), figures, missing (share of the districts' years, or months, from
        first to last that have no figure).
    """
    frames = {
        "observation": package.observations.rename(columns={"variable": "series"}),
        "action": package.actions.rename(columns={"lever": "series"}),
    }
    series = []
    for row in package.variables.itertuples():
        rows = frames[str(row.kind)]
        rows = rows[rows["series"] == row.name].drop_duplicates(["time", "district"])
        periods = rows["time"].nunique() * len(package.districts)
        series.append(
            {
                "variable": str(row.name),
                "kind": str(row.kind),
                "unit": str(row.unit),
                "interval": str(row.interval),
                "known": lookup(str(row.name)) is not None,
                "first_year": int(rows["year"].min()) if len(rows) else None,
                "last_year": int(rows["year"].max()) if len(rows) else None,
                "districts": int(rows["district"].nunique()),
                "figures": len(rows),
                "missing": 1.0 - len(rows) / periods if periods else 1.0,
            }
        )
    return {
        "name": package.name,
        "title": package.title,
        "folder": str(package.folder),
        "currency": package.currency,
        "content_hash": package.content_hash,
        "licences": list(package.licences),
        "sources": list(package.sources),
        "districts": len(package.districts),
        "observations": len(package.observations),
        "actions": len(package.actions),
        "warnings": list(package.warnings),
        "series": series,
    }
