"""Rules that the tables of a city package keep (SQL over the loaded text), all applied at once."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd

from envs.twin.problems import Problems
from envs.twin.tables import (
    Layout,
    Rule,
    Table,
    apply,
    duplicates,
    load,
    number,
    number_rules,
    quoted,
    text,
)
from envs.twin.variables import INTERVALS, KINDS, SUBSYSTEMS, lookup

FIRST_YEAR = 1800
WIDEST_KM = 1000.0

LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("districts", ("code", "name", "area_km2", "x_km", "y_km")),
        Layout("variables", ("name", "kind", "unit", "subsystem", "interval"), ("lag_months",)),
        Layout("observations", ("time", "district", "variable", "value"), ("sd", "available")),
        Layout("actions", ("time", "district", "lever", "value"), ("sd", "available")),
        Layout("links", ("origin", "destination", "mode", "minutes")),
        Layout("events", ("time_from", "time_to", "districts", "name", "lever", "expected_sign")),
    )
}

KEYS = {
    "districts": ("code",),
    "variables": ("name",),
    "links": ("origin", "destination", "mode"),
}
SERIES = {"observations": ("variable", "observation"), "actions": ("lever", "action")}

PERIOD = r"[0-9]{4}(-(0[1-9]|1[0-2]))?"
MOMENT = r"[0-9]{4}-(0[1-9]|1[0-2])(-[0-9]{2}([T ].*)?)?"


def check_tables(
    connection: duckdb.DuckDBPyConnection,
    paths: Mapping[str, Path],
    folder: Path,
    currency: str,
    now: int,
    problems: Problems,
) -> str:
    """Load every listed file into the database and apply every rule that can be applied.

    Args:
        connection: receives one table of text a file, and the views ``observations_read`` and
            ``actions_read``: the figures with numbers for text.
        paths: files by resource name.
        folder: the package; messages name files relative to it.
        currency: what the descriptor states, "" for nothing.
        now: this month as 12 * year + month - 1; later figures are problems.
        problems: collects what is wrong.

    Returns:
        The package's currency: stated, or the one its units name, or "".
    """
    tables: dict[str, Table] = {}
    for name, path in paths.items():
        table = load(connection, path, str(path.relative_to(folder)), LAYOUTS[name], problems)
        if table is not None:
            tables[name] = table
    for name, key in KEYS.items():
        if name in tables:
            duplicates(connection, tables[name], name, key, problems)
    if "districts" in tables:
        _check_districts(connection, tables["districts"], problems)
    if "variables" in tables:
        currency = _check_variables(connection, tables["variables"], currency, problems)
    if {"districts", "variables"} <= tables.keys():
        for name in SERIES:
            if name in tables:
                _check_series(connection, tables[name], now, problems)
        _check_use(connection, tables, problems)
    if {"districts", "links"} <= tables.keys():
        _check_links(connection, tables["links"], problems)
    if {"districts", "events"} <= tables.keys():
        _check_events(connection, tables["events"], problems)
    return currency


def _check_districts(
    connection: duckdb.DuckDBPyConnection, table: Table, problems: Problems
) -> None:
    rules = [Rule(column, f"{column} = ''", "'text'") for column in ("code", "name")]
    for column in ("area_km2", "x_km", "y_km"):
        rules += number_rules(column)
    rules.append(Rule("area_km2", f"{number('area_km2')} <= 0", "'more than 0 square kilometres'"))
    rules += [
        Rule(
            column,
            f"abs({number(column)} - (SELECT median({number(column)}) FROM districts)) "
            f"> {WIDEST_KM}",
            f"'kilometres on a plane, within {WIDEST_KM:g} of the other districts'",
        )
        for column in ("x_km", "y_km")
    ]
    apply(connection, table, "districts", rules, problems)
    once = "QUALIFY row_number() OVER (PARTITION BY code ORDER BY record) = 1"
    places = f"""(SELECT *, row_number() OVER (
        PARTITION BY {number("x_km")}, {number("y_km")} ORDER BY record) AS same
        FROM (SELECT * FROM districts {once})
        WHERE {number("x_km")} + {number("y_km")} IS NOT NULL)"""
    rule = Rule("x_km+y_km", "same > 1", "'a place of its own; an earlier row has this one'")
    apply(connection, table, places, [rule], problems)


def _check_variables(
    connection: duckdb.DuckDBPyConnection, table: Table, currency: str, problems: Problems
) -> str:
    def one_of(column: str, allowed: tuple[str, ...]) -> Rule:
        listed = ", ".join(text(value) for value in allowed)
        return Rule(column, f"{column} NOT IN ({listed})", text(" or ".join(allowed)))

    rules = [
        Rule("name", "name = ''", "'text'"),
        one_of("kind", KINDS),
        Rule("unit", "unit = ''", "'text'"),
        one_of("subsystem", SUBSYSTEMS),
        one_of("interval", INTERVALS),
        Rule(
            "lag_months",
            "lag_months <> '' AND NOT regexp_full_match(lag_months, '[0-9]{1,3}')",
            "'a whole number of months, 0 or more'",
        ),
    ]
    apply(connection, table, "variables", rules, problems)
    rows = connection.execute(
        "SELECT record, name, kind, unit FROM variables WHERE name <> '' ORDER BY record"
    ).fetchall()
    currency = currency or _common_currency([(name, unit) for _, name, _, unit in rows])
    limits: list[dict[str, object]] = []
    for record, name, kind, unit in rows:
        variable = lookup(name)
        if variable is None:
            problems.warn([f"variables.csv, {name}: not known to the model, kept but not used"])
            continue
        limits.append(
            {
                "name": name,
                "lower": variable.lower,
                "upper": variable.upper,
                "positive": variable.positive,
            }
        )
        expected = variable.unit.replace("{currency}", currency or "an ISO 4217 code")
        if unit and variable.currency_of(unit) not in ("", currency):
            problems.cells(table.source, "unit", [(record, unit, f"{expected} for {name}")], 1)
        if kind in KINDS and kind != variable.kind:
            wanted = f"{variable.kind} for {name}"
            problems.cells(table.source, "kind", [(record, kind, wanted)], 1)
    frame = pd.DataFrame(limits, columns=["name", "lower", "upper", "positive"])
    frame = frame.astype({"lower": float, "upper": float, "positive": bool, "name": object})
    connection.register("limits_frame", frame)
    connection.execute("CREATE TABLE limits AS SELECT DISTINCT * FROM limits_frame")
    connection.unregister("limits_frame")
    return currency


def _common_currency(units: list[tuple[str, str]]) -> str:
    """The currency that most of the known series are given in, "" where none names one."""
    found: Counter[str] = Counter()
    for name, unit in units:
        variable = lookup(name)
        code = variable.currency_of(unit) if variable else None
        if code:
            found[code] += 1
    return found.most_common(1)[0][0] if found else ""


def _check_series(
    connection: duckdb.DuckDBPyConnection, table: Table, now: int, problems: Problems
) -> None:
    """Check one table of figures and make the view ``<table>_read`` of its numbers."""
    column, kind = SERIES[table.name]
    read = f"{table.name}_read"
    connection.execute(
        f"""CREATE VIEW {read} AS
        WITH parsed AS (
            SELECT t.*, {quoted(column)} AS series,
                CASE WHEN regexp_full_match(time, '{PERIOD}') THEN left(time, 4)::INTEGER
                END AS year,
                CASE WHEN regexp_full_match(time, '{PERIOD}') AND length(time) = 7
                    THEN right(time, 2)::INTEGER END AS month,
                {number("value")} AS number,
                CASE WHEN sd <> '' THEN {number("sd")} END AS spread,
                CASE WHEN regexp_full_match(available, '{MOMENT}')
                    AND TRY_CAST(left(available || '-01', 10) AS DATE) IS NOT NULL
                    THEN 12 * left(available, 4)::INTEGER + substr(available, 6, 2)::INTEGER - 1
                END AS known
            FROM {table.name} AS t
        ), timed AS (
            SELECT *, 12 * year + coalesce(month, 1) - 1 AS first_month,
                12 * year + coalesce(month, 12) - 1 AS last_month
            FROM parsed
        )
        SELECT timed.*, v.kind, v.interval, l.lower, l.upper, l.positive,
            d.code IS NOT NULL AS in_districts, v.name IS NOT NULL AS in_variables,
            coalesce(known, last_month + coalesce(TRY_CAST(v.lag_months AS INTEGER), 0))
                AS available_month
        FROM timed
        LEFT JOIN (SELECT DISTINCT code FROM districts) AS d ON timed.district = d.code
        LEFT JOIN (SELECT * FROM variables
            QUALIFY row_number() OVER (PARTITION BY name ORDER BY record) = 1) AS v
            ON timed.series = v.name
        LEFT JOIN limits AS l ON timed.series = l.name"""
    )
    apply(connection, table, read, _series_rules(column, kind, now), problems)
    duplicates(connection, table, read, ("time", "district", column), problems, "available_month")


def _series_rules(column: str, kind: str, now: int) -> list[Rule]:
    other = next(name for name, (_, its_kind) in SERIES.items() if its_kind != kind)
    month = f"{now // 12}-{now % 12 + 1:02d}"
    ends = "(last_month // 12)::VARCHAR || '-' || lpad((last_month % 12 + 1)::VARCHAR, 2, '0')"
    spread_is_bad = "sd <> '' AND (spread IS NULL OR spread <= 0)"
    return [
        Rule(
            "time",
            f"year IS NULL OR year < {FIRST_YEAR}",
            f"'YYYY or YYYY-MM, from {FIRST_YEAR} to {month}'",
        ),
        Rule(
            "time",
            "interval = 'month' AND year IS NOT NULL AND month IS NULL",
            "'YYYY-MM: variables.csv says that ' || series || ' is given by the month'",
        ),
        Rule(
            "time",
            "interval = 'year' AND month IS NOT NULL",
            "'YYYY: variables.csv says that ' || series || ' is given by the year'",
        ),
        Rule("time", f"first_month > {now}", f"'a time no later than now ({month})'"),
        Rule("district", "NOT in_districts", "'a code of districts.csv'"),
        Rule(column, "NOT in_variables", "'a name of variables.csv'"),
        Rule(
            column,
            f"kind IN ({', '.join(text(each) for each in KINDS)}) AND kind <> {text(kind)}",
            f"'a series of kind {kind}; kind ' || kind || ' belongs in {other}'",
        ),
        *number_rules("value", "a number (leave the row out where the figure is missing)"),
        Rule(
            "value",
            "number < lower OR number > upper OR (positive AND number = 0)",
            "CASE WHEN upper < 'inf'::DOUBLE THEN 'from ' || lower::INTEGER || ' to ' || "
            "upper::INTEGER WHEN positive THEN 'more than 0' ELSE '0 or more' END "
            "|| ' for ' || series",
        ),
        Rule("sd", spread_is_bad, "'a finite number above 0, or nothing'"),
        Rule(
            "available",
            "available <> '' AND known IS NULL",
            "'YYYY-MM or YYYY-MM-DD, or nothing'",
        ),
        Rule(
            "available",
            "known < last_month",
            f"'no earlier than the end of its period (' || {ends} || ')'",
        ),
        Rule("available", f"known > {now}", f"'a time no later than now ({month})'"),
    ]


def _check_use(
    connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Table], problems: Problems
) -> None:
    """Warn of series without a figure, and of years in which a series lacks districts."""
    for name, (column, kind) in SERIES.items():
        given = f"SELECT DISTINCT {column} FROM {name}" if name in tables else "SELECT NULL"
        unused = connection.execute(
            f"""SELECT name FROM variables WHERE kind = {text(kind)}
            AND name NOT IN (SELECT * FROM ({given}) AS g(series) WHERE series IS NOT NULL)
            ORDER BY record"""
        ).fetchall()
        problems.warn([f"variables.csv, {series}: no figure given" for (series,) in unused])
        if name not in tables:
            continue
        short = connection.execute(
            f"""WITH figures AS (
                SELECT DISTINCT series, time, year, district FROM {name}_read
                WHERE in_districts AND in_variables AND number IS NOT NULL AND year IS NOT NULL
            ), periods AS (SELECT DISTINCT series, time, year FROM figures)
            SELECT periods.series, periods.year, count(DISTINCT code),
                list(DISTINCT code ORDER BY code)[:3], (SELECT count(*) FROM districts)
            FROM periods CROSS JOIN districts
            ANTI JOIN figures ON figures.series = periods.series AND figures.time = periods.time
                AND figures.district = districts.code
            GROUP BY ALL ORDER BY periods.series, periods.year"""
        ).fetchall()
        lines = [
            f"{tables[name].source.shown}, {series}, {year}: {count} of {total} districts missing "
            f"({', '.join(codes)}{', ...' if count > len(codes) else ''})"
            for series, year, count, codes, total in short
        ]
        problems.warn(lines, tables[name].source.shown)


def _check_links(connection: duckdb.DuckDBPyConnection, table: Table, problems: Problems) -> None:
    rules = [
        Rule(end, f"{end} NOT IN (SELECT code FROM districts)", "'a code of districts.csv'")
        for end in ("origin", "destination")
    ]
    rules += [
        Rule("mode", "mode = ''", "'text'"),
        *number_rules("minutes"),
        Rule("minutes", f"{number('minutes')} <= 0", "'more than 0 minutes'"),
    ]
    apply(connection, table, "links", rules, problems)


def _check_events(connection: duckdb.DuckDBPyConnection, table: Table, problems: Problems) -> None:
    known = "list_has_all((SELECT list(code) FROM districts), string_split(districts, ';'))"
    rules = [
        Rule("time_from", f"NOT regexp_full_match(time_from, '{PERIOD}')", "'YYYY or YYYY-MM'"),
        Rule(
            "time_to",
            f"time_to <> '' AND NOT regexp_full_match(time_to, '{PERIOD}')",
            "'YYYY or YYYY-MM, or nothing for an event that goes on'",
        ),
        Rule(
            "time_to",
            "time_to <> '' AND time_to < left(time_from, length(time_to))",
            "'no earlier than time_from'",
        ),
        Rule(
            "districts",
            f"districts <> 'all' AND NOT {known}",
            "'codes of districts.csv joined by ;, or all'",
        ),
        *(Rule(column, f"{column} = ''", "'text'") for column in ("name", "lever")),
        Rule(
            "expected_sign",
            "expected_sign NOT IN ('+', '-', '+1', '-1', '1', '0')",
            "'+1, -1 or 0'",
        ),
    ]
    apply(connection, table, "events", rules, problems)
