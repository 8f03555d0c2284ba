"""The bitemporal ledger: every figure with the time it speaks of and the time it became known.

One DuckDB file (or memory). Figures are only ever added: a revision is a new row with a later
``available_time``, and a figure that is already there, by its content hash, is not added again.
Every read says as of which month; a figure that became known later cannot come back, and no figure
can be stored as known before its period has ended.
"""

from pathlib import Path
from types import TracebackType

import duckdb
import pandas as pd

from envs.twin.package_checks import SERIES
from envs.twin.packages import CityPackage, year_table

_SCHEMA = """
CREATE TABLE IF NOT EXISTS figures (
    recorded BIGINT NOT NULL,
    city VARCHAR NOT NULL,
    kind VARCHAR NOT NULL CHECK (kind IN ('observation', 'action')),
    variable VARCHAR NOT NULL,
    district VARCHAR NOT NULL,
    valid_time VARCHAR NOT NULL,
    year INTEGER NOT NULL,
    month INTEGER CHECK (month BETWEEN 1 AND 12),
    available_time INTEGER NOT NULL CHECK (available_time >= 12 * year + coalesce(month, 12) - 1),
    value DOUBLE NOT NULL CHECK (isfinite(value)),
    sd DOUBLE,
    source VARCHAR NOT NULL,
    licence VARCHAR NOT NULL,
    content_hash VARCHAR NOT NULL
);
CREATE TABLE IF NOT EXISTS districts (
    city VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    district VARCHAR NOT NULL
);
"""

_HASHED = (
    "city, kind, variable, district, valid_time, available_time::VARCHAR, value::VARCHAR, "
    "coalesce(sd::VARCHAR, '')"
)
_READ = (
    "city, kind, variable, district, valid_time, year, month, available_time, value, sd, "
    "source, licence, content_hash"
)


class LedgerError(ValueError):
    """A ledger that cannot be opened, or a question that it cannot answer as asked."""


class Ledger:
    """Append-only store of figures; a context manager that closes its file.

    Times are month indices, 12 * year + month - 1; "known at m" means by the end of month m.
    """

    def __init__(self, path: Path | str = ":memory:") -> None:
        """Open a ledger, or start one where there is no file.

        Raises:
            LedgerError: the file is no ledger, or another process writes to it.
        """
        try:
            self._database = duckdb.connect(str(path))
            self._database.execute(_SCHEMA)
            self._database.execute(f"SELECT recorded, {_READ} FROM figures LIMIT 0").fetchall()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise LedgerError(f"{path}: cannot be opened as a ledger ({reason})") from error

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of figures, revisions counted."""
        ((count,),) = self._database.execute("SELECT count(*) FROM figures").fetchall()
        return int(count)

    def close(self) -> None:
        """Close the file; the ledger cannot be used afterwards."""
        self._database.close()

    def cities(self) -> tuple[str, ...]:
        """Names of the cities it holds figures of."""
        rows = self._database.execute("SELECT DISTINCT city FROM districts ORDER BY city")
        return tuple(str(city) for (city,) in rows.fetchall())

    def ingest(self, package: CityPackage) -> int:
        """Add a package's figures that are not there yet; all or none.

        Returns:
            The number of figures added: 0 for a package that was ingested before.

        Raises:
            LedgerError: a figure is said to be known before its period ends, or is not finite.
        """
        sources = {name: package.source_of(name) for name in package.variables["name"]}
        origin = pd.DataFrame({"variable": list(sources), "source": list(sources.values())})
        frames = {"observations": package.observations, "actions": package.actions}
        before = len(self)
        self._database.register("origin", origin)
        for table, (column, _) in SERIES.items():
            self._database.register(table, frames[table].rename(columns={column: "variable"}))
        self._database.begin()
        try:
            self._add_districts(package.name, list(package.districts["code"]))
            for table, (_, kind) in SERIES.items():
                self._add(table, package.name, kind, ", ".join(package.licences))
            self._database.commit()
        except BaseException as error:
            self._database.rollback()
            if isinstance(error, duckdb.ConstraintException):
                reason = str(error).splitlines()[0]
                raise LedgerError(f"{package.name}: a figure cannot be kept ({reason})") from error
            raise
        finally:
            for view in ("origin", *SERIES):
                self._database.unregister(view)
        return len(self) - before

    def as_known_at(
        self,
        month: int,
        *,
        city: str | None = None,
        kind: str | None = None,
        variable: str | None = None,
    ) -> pd.DataFrame:
        """The figures known at the end of a month, each in its latest revision of then.

        Args:
            month: month index, 12 * year + month - 1.
            city: only this city.
            kind: only "observation" or "action".
            variable: only this series or lever.

        Returns:
            city, kind, variable, district, valid_time (YYYY or YYYY-MM), year, month (missing for
            yearly series), available_time (month index, at most ``month``), value, sd, source,
            licence, content_hash; ordered by city, kind, variable, time and district.
        """
        wanted = {"city": city, "kind": kind, "variable": variable}
        given = {name: value for name, value in wanted.items() if value is not None}
        conditions = "".join(f" AND {name} = ${name}" for name in given)
        frame: pd.DataFrame = self._database.execute(
            f"""SELECT {_READ} FROM figures
            WHERE available_time <= $asked{conditions}
            QUALIFY row_number() OVER (
                PARTITION BY city, kind, variable, district, valid_time
                ORDER BY available_time DESC, recorded DESC) = 1
            ORDER BY city, kind, variable, valid_time, district""",
            {"asked": int(month), **given},
        ).df()
        return frame.astype({"month": "Int8"})

    def yearly_panel(
        self, variable: str, as_known_at: int, *, city: str | None = None
    ) -> pd.DataFrame:
        """One series or lever by year and district, as known at the end of a month.

        Args:
            variable: name of the series or lever.
            as_known_at: month index, 12 * year + month - 1.
            city: needed where the ledger holds more than one.

        Returns:
            Rows are the years from the first to the last figure known, columns the district codes
            in their package's order, missing figures NaN. A monthly series is the mean of the
            months known by then, so that a year that has not ended shows its months so far.

        Raises:
            LedgerError: the ledger holds several cities (or not this one) and none was named.
        """
        cities = self.cities()
        if city is None and len(cities) == 1:
            city = cities[0]
        if city not in cities:
            held = ", ".join(cities) or "none"
            raise LedgerError(f"city: {city!r}; expected one that the ledger holds: {held}")
        rows = self._database.execute(
            "SELECT district FROM districts WHERE city = ? ORDER BY position", [city]
        ).fetchall()
        known = self.as_known_at(as_known_at, city=city, variable=variable)
        return year_table(known, [str(district) for (district,) in rows])

    def _add_districts(self, city: str, codes: list[str]) -> None:
        rows = self._database.execute(
            "SELECT district FROM districts WHERE city = ? ORDER BY position", [city]
        ).fetchall()
        there = [district for (district,) in rows]
        new = [code for code in codes if code not in set(there)]
        if new:
            self._database.executemany(
                "INSERT INTO districts VALUES (?, ?, ?)",
                [(city, len(there) + place, code) for place, code in enumerate(new)],
            )

    def _add(self, table: str, city: str, kind: str, licence: str) -> None:
        """Insert the registered rows of one kind whose content hash is not there."""
        self._database.execute(
            f"""INSERT INTO figures
            WITH figure AS (
                SELECT $city AS city, $kind AS kind, variable::VARCHAR AS variable,
                    district::VARCHAR AS district, time::VARCHAR AS valid_time, year, month,
                    available AS available_time, value,
                    CASE WHEN NOT isnan(sd) THEN sd END AS sd, $licence AS licence
                FROM {table}
            ), hashed AS (
                SELECT *, sha256(concat_ws(chr(31), {_HASHED})) AS content_hash FROM figure
            )
            SELECT (SELECT coalesce(max(recorded), 0) + 1 FROM figures), city, kind,
                hashed.variable, district, valid_time, year, month, available_time, value, sd,
                coalesce(origin.source, ''), licence, content_hash
            FROM hashed LEFT JOIN origin ON hashed.variable = origin.variable
            ANTI JOIN figures USING (content_hash)""",
            {"city": city, "kind": kind, "licence": licence},
        )
