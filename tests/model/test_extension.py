"""A new sector, service, lever or shock is one row: nobody else repeats what the tables say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import configs
from envs.city import kinds, levers
from envs.city.dynamics import CITY_SERIES, DISTRICT_SERIES
from envs.city.kinds import SECTOR_TABLE, SERVICE_TABLE
from envs.city.levers import BUDGET_LINES, LEVERS, PARTS
from envs.city.shocks import SHOCKS
from envs.city.sizes import PRIVATE_NAMES, SECTOR_NAMES, SERVICE_NAMES
from envs.city.valuation import BASES

REPOSITORY = Path(configs.__file__).resolve().parents[1]
#: What must not be typed in again: the entries of these axes, in their order.
LISTS = {
    "sectors": SECTOR_NAMES,
    "private sectors": PRIVATE_NAMES,
    "services": SERVICE_NAMES,
    "purchases of the city": tuple(line for line in BUDGET_LINES if line != "staff"),
}
TABLES = ("envs/city/kinds.py", "envs/city/levers.py")


def literal_lists(code: str) -> set[tuple[str, ...]]:
    """Lists, tuples and keys of mappings that are written out as strings."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            entries = node.elts
        elif isinstance(node, ast.Dict):
            entries = [key for key in node.keys if key is not None]
        else:
            continue
        if entries and all(isinstance(x, ast.Constant) for x in entries):
            found.add(tuple(str(x.value) for x in entries if isinstance(x, ast.Constant)))
    return found


@pytest.mark.parametrize("what", LISTS)
def test_no_module_but_the_tables_lists_all_of_an_axis(what: str) -> None:
    again = [
        str(path.relative_to(REPOSITORY))
        for package in ("envs", "agents", "experiments")
        for path in sorted((REPOSITORY / package).rglob("*.py"))
        if str(path.relative_to(REPOSITORY)) not in TABLES
        and any(set(LISTS[what]) <= set(x) for x in literal_lists(path.read_text("utf-8")))
    ]
    assert again == []


def test_a_list_is_seen_however_it_is_written() -> None:
    code = 'A = ("x", "y")\nB = {"x": 1, "y": f()}\nC = ["x", *A]\nD = {"x", "y"}'
    assert {frozenset(found) for found in literal_lists(code)} == {frozenset({"x", "y"})}


def test_the_local_and_the_public_sector_close_every_list() -> None:
    assert SECTOR_NAMES[-2:] == ("local", "public")
    public, *others = SECTOR_TABLE[-1], *SECTOR_TABLE[:-1]
    again = sorted([public, *others], key=kinds._place)
    assert tuple(row.name for row in again) == SECTOR_NAMES, "wherever a row stands"


@pytest.mark.parametrize(
    ("rows", "field"), [(SECTOR_TABLE, "sector_jobs"), (SERVICE_TABLE, "staff_split")]
)
def test_shares_add_up_whatever_the_rows_say(rows: tuple[kinds.Sector, ...], field: str) -> None:
    doubled = (*rows, *rows)
    assert sum(kinds.shares(doubled, field)) == pytest.approx(1.0, abs=1e-12)
    assert kinds.shares(rows, field) == kinds.column(rows, field), "today's rows add up to one"


def test_a_lever_names_a_base_that_there_is_and_cells_that_it_has() -> None:
    assert {lever.base for lever in LEVERS.values()} - {""} == set(BASES)
    for lever in LEVERS.values():
        assert lever.parts in ((), *PARTS.values())
        assert lever.parts == () or lever.size(5)[-1] == len(lever.parts)
    assert set(levers.UNIFORM) <= set(LEVERS)


def test_every_level_is_a_series_of_the_dynamics_and_nothing_else_is() -> None:
    levels = {name for name, shock in SHOCKS.items() if shock.kind == "level"}
    assert {*CITY_SERIES, *DISTRICT_SERIES} == levels
    assert all(SHOCKS[name].axis in ("", "district") for name in levels)
