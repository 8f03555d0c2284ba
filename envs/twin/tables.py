"""CSV files of a city package as DuckDB tables of text, with numbered records and rules in SQL.

Cells stay text until every rule has been applied, so that a message can quote what stands in the
file. DuckDB streams the file and spills to disk beyond its memory limit, so a table of ten million
rows loads in bounded memory.
"""

import csv
import glob
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from envs.twin.problems import SHOWN_PER_KIND, Problems, Source, is_unicode

MEMORY_LIMIT = "1GB"
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
NOT_FINITE = r"(?i)[+-]?(nan|inf|infinity)"


@dataclass(frozen=True)
class Layout:
    """Columns of one file. ``optional`` columns read as empty cells where the file lacks them."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A loaded file: DuckDB table ``name`` of text columns and ``record`` (1 = first data row)."""

    name: str
    source: Source
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Rule:
    """One way a cell can be wrong.

    ``broken`` and ``expected`` are SQL expressions over the checked relation; a condition that is
    null (something else is wrong with the row) does not count as broken.
    """

    column: str
    broken: str
    expected: str


@contextmanager
def workspace() -> Iterator[duckdb.DuckDBPyConnection]:
    """A private in-memory database that spills to a temporary folder, both gone at the end."""
    with tempfile.TemporaryDirectory(prefix="polislab-") as spill:
        connection = duckdb.connect(
            ":memory:",
            config={"memory_limit": MEMORY_LIMIT, "temp_directory": spill, "threads": 2},
        )
        try:
            yield connection
        finally:
            connection.close()


def load(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    shown: str,
    layout: Layout,
    problems: Problems,
) -> Table | None:
    """Load one CSV file; problems of its form are recorded, and None returned if it has no table.

    Args:
        connection: database that receives the table ``layout.name``.
        path: the file.
        shown: its name in messages.
        layout: the columns it must and may have; others are left out with a warning.
        problems: collects what is wrong.
    """
    if not path.is_file():
        problems.add(f"{shown}: missing; expected a CSV file with {_listed(layout.required)}")
        return None
    header = _header(path, shown, layout, problems)
    if header is None:
        return None
    source = Source(shown, path, len(header))
    known = [column for column in header if column in layout.required + layout.optional]
    others = [column for column in header if column not in known]
    problems.warn([f"{shown}, column {column}: not known, left out" for column in others], shown)
    columns = [*layout.required, *layout.optional]
    cells = [
        f"coalesce({quoted(column)}, '') AS {column}" if column in known else f"'' AS {column}"
        for column in columns
    ]
    try:
        connection.execute(
            f"""CREATE TABLE {layout.name} AS
            SELECT row_number() OVER () AS record, {", ".join(cells)}
            FROM read_csv(?, columns = {{{", ".join(f"{text(c)}: 'VARCHAR'" for c in header)}}},
                header = true, auto_detect = false, delim = ',', quote = '"', escape = '"',
                nullstr = chr(1), store_rejects = true, rejects_limit = 10000,
                rejects_table = '{layout.name}_rejected', rejects_scan = '{layout.name}_scan')""",
            [glob.escape(str(path))],
        )
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        problems.add(f"{shown}: cannot be read as CSV ({reason}); expected plain CSV in UTF-8")
        return None
    _rejected(connection, layout.name, source, problems)
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {layout.name}").fetchall()
    if rows == 0 and layout.required:
        problems.add(f"{shown}: no usable rows; expected at least one below the header")
    return Table(layout.name, source, tuple(columns), rows)


def apply(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    relation: str,
    rules: Sequence[Rule],
    problems: Problems,
) -> None:
    """Check every rule on a relation that holds the table's records; one pass counts them all."""
    (counts,) = connection.execute(
        f"SELECT {', '.join(f'count(*) FILTER ({rule.broken})' for rule in rules)} FROM {relation}"
    ).fetchall()
    for rule, count in zip(rules, counts, strict=True):
        if not count:
            continue
        shown = " || ', ' || ".join(quoted(column) for column in rule.column.split("+"))
        cells = connection.execute(
            f"""SELECT record, {shown}, {rule.expected} FROM {relation}
            WHERE {rule.broken} ORDER BY record LIMIT {SHOWN_PER_KIND}"""
        ).fetchall()
        problems.cells(table.source, rule.column, cells, count)


def duplicates(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    relation: str,
    key: Sequence[str],
    problems: Problems,
    version: str = "",
) -> None:
    """Record every record whose key an earlier record has already.

    Args:
        connection: database that holds the relation.
        table: the file the records come from.
        relation: the table, or a view with its records.
        key: columns of the file that name one thing.
        problems: collects what is wrong.
        version: a further column of the relation that tells revisions of one thing apart.
    """
    columns = ", ".join(quoted(column) for column in (*key, *([version] if version else [])))
    repeated = f"SELECT {columns} FROM {relation} GROUP BY ALL HAVING count(*) > 1"
    if not connection.execute(f"{repeated} LIMIT 1").fetchall():
        return
    later = f"""(SELECT * FROM {relation} SEMI JOIN ({repeated}) USING ({columns})
        QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY record) > 1)"""
    rule = Rule("+".join(key), "true", text("each key once; an earlier row has it"))
    apply(connection, table, later, [rule], problems)


def quoted(column: str) -> str:
    """A column name as an SQL identifier."""
    return '"' + column.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def number(column: str) -> str:
    """SQL: the cell as a finite number, null where it is none."""
    return (
        f"CASE WHEN regexp_full_match({column}, '{NUMBER}') AND "
        f"isfinite(TRY_CAST({column} AS DOUBLE)) THEN TRY_CAST({column} AS DOUBLE) END"
    )


def number_rules(column: str, empty: str = "a number") -> list[Rule]:
    """The rules of a column of finite numbers. ``empty`` says what was expected of an empty cell.

    Digits that overflow (1e999) are not finite either.
    """
    digits = f"regexp_full_match({column}, '{NUMBER}')"
    infinite = (
        f"(regexp_full_match({column}, '{NOT_FINITE}') OR "
        f"({digits} AND NOT coalesce(isfinite(TRY_CAST({column} AS DOUBLE)), false)))"
    )
    return [
        Rule(column, f"{column} = ''", text(empty)),
        Rule(column, f"{column} <> '' AND NOT {digits} AND NOT {infinite}", text("a number")),
        Rule(column, infinite, text("a finite number")),
    ]


def _header(path: Path, shown: str, layout: Layout, problems: Problems) -> list[str] | None:
    """Column names of a file, or None where the file cannot be used for want of them."""
    expected = f"a header row {','.join(layout.required)}"
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            header = next(csv.reader(file), None)
    except csv.Error as error:
        problems.add(f"{shown}, row 1: {error}; expected {expected}")
        return None
    if header and not is_unicode(header):
        problems.add(f"{shown}, row 1: not readable as text; expected CSV in UTF-8")
        return None
    if not header:
        problems.add(f"{shown}: empty; expected {expected}")
        return None
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        problems.cell(shown, 1, "1", header[0], f"{expected}, separated by commas")
        return None
    before = len(problems)
    for column in layout.required:
        if column not in header:
            problems.add(f"{shown}, row 1: column {column} missing; expected {expected}")
    for column in sorted({column for column in header if header.count(column) > 1}):
        problems.cell(shown, 1, column, column, "each column once")
    return header if len(problems) == before else None


_REJECTED = {
    "MISSING COLUMNS": "{width} cells",
    "TOO MANY COLUMNS": "{width} cells",
    "INVALID ENCODING": "text in UTF-8",
    "UNQUOTED VALUE": "quotation marks in pairs",
}


def _rejected(
    connection: duckdb.DuckDBPyConnection, name: str, source: Source, problems: Problems
) -> None:
    """Record the rows that are no rows of the table: too few or many cells, not UTF-8."""
    rejected = connection.execute(
        f"""SELECT error_type::VARCHAR, line, column_name, csv_line,
            count(*) OVER (PARTITION BY error_type), row_number() OVER kind
        FROM (SELECT * FROM {name}_rejected
            QUALIFY row_number() OVER (PARTITION BY line, error_type ORDER BY column_idx) = 1)
        WINDOW kind AS (PARTITION BY error_type ORDER BY line)
        QUALIFY row_number() OVER kind <= {SHOWN_PER_KIND} ORDER BY line"""
    ).fetchall()
    for error, line, column, content, count, place in rejected:
        expected = _REJECTED.get(error, "a row of plain CSV").format(width=source.width)
        problems.cell(source.shown, line, column or "1", content.strip(), expected)
        if place == SHOWN_PER_KIND and count > place:
            problems.add(f"{source.shown}: ... and {count - place} more rows of this kind")


def _listed(columns: Sequence[str]) -> str:
    return f"columns {', '.join(columns)}"
