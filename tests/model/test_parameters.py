"""The parameter table is complete and true, and no other module of the model holds a number."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from envs.city import parameters
from envs.city.parameter_table import AXES, ROWS
from envs.city.parameters import TABLE, Parameter, by_entry, parse_values

CITY = Path(parameters.__file__).parent
#: Modules whose business is a table of numbers, each with what says where they come from.
TABLES = {
    "parameter_table.py": "parameters, with source",
    "kinds.py": "sectors and services: defaults of parameters",
    "levers.py": "levers, with source",
    "shocks.py": "shocks and events, assumed",
    "information.py": "published series, with source",
    "indicators.py": "scales of notable changes, assumed",
    "dashboard.py": "scales and the thresholds of standards",
    "synthetic.py": "made-up data of cities that do not exist",
}
#: Numbers that are no choice: halves, squares and cubes, months of a year, minutes of an hour.
STRUCTURAL = {0.5, 12, 60}
LARGEST_INDEX = 4
#: Where another number may stand, and why. Keys: file and the constant that it is assigned to,
#: or file and function. An entry that matches nothing fails too.
ALLOWED: dict[tuple[str, str], str] = {
    ("dynamics.py", "PRESETS"): "a table of its own, all assumed; polislab model shocks prints it",
    ("dynamics.py", "Preset"): "persistence that the presets share",
    ("rules.py", "RESPONSES"): "a table of its own, each row with its source",
    ("welfare.py", "RAWLS"): "the aversion that stands for Rawls (MODEL section 9)",
    ("welfare.py", "GINI_WIDTH"): "where differences are rounded off",
    ("welfare.py", "LEAST_INCOME"): "floor that keeps powers of income defined",
    ("valuation.py", "MONTHS"): "the horizon of a present value (MODEL section 22.3)",
    ("minutes.py", "EMPTY"): "what a road without congestion means (MODEL section 22.5)",
    ("neutrality.py", "UNKNOWNS"): "natural sizes of the unknowns, the unit of a Newton step",
    ("neutrality.py", "_limits"): "where the model is no longer defined",
    ("neutrality.py", "_NUDGE"): "step of finite differences",
    ("neutrality.py", "_POOR"): "when the solver takes a new Jacobian",
    ("neutrality.py", "TOLERANCE"): "when the solver stops",
    ("minutes.py", "CLOSE"): "when the solver stops",
    ("minutes.py", "solve"): "first two trials of the solver",
    ("assignment.py", "_UNUSED"): "a path without flow, up to rounding",
    ("assignment.py", "_FIRST_THETA"): "where the solver starts",
    ("assignment.py", "_HALVINGS"): "rounds of the solver",
    ("assignment.py", "assign"): "when the solver stops",
    ("assignment.py", "system_optimum"): "when the solver stops",
    ("assignment.py", "logit_equilibrium"): "when the solver stops",
    ("calibration.py", "_FURNESS"): "rounds of the solver",
    ("calibration.py", "_ROUNDS, _SWEEPS"): "rounds of the solver",
    ("calibration.py", "_FIRST_STEP, _SETTLED"): "when the solver stops",
    ("calibration.py", "first_load"): "how the solver's step grows",
    ("credit.py", "POINTS"): "points of a quadrature",
    ("credit.py", "AT_ONCE"): "size of a batch",
    ("credit.py", "TOLERANCE"): "when the quadrature is fine enough",
    ("functions.py", "FLOOR"): "numerical floor",
    ("ports.py", "_LEAST"): "numerical floor",
    ("routes.py", "_LEAST_TIME"): "numerical floor",
    ("treasury.py", "_LEAST"): "numerical floor",
    ("land.py", "taken"): "where a quotient is replaced by its series",
    ("welfare.py", "equally_distributed"): "where an exponent is taken for one",
    ("geography.py", "_AS_NEAR"): "rounding of a distance",
    ("geography.py", "_SAMPLES"): "points of a straight route that are looked up",
    ("region.py", "_CLOSE"): "when two levels agree",
    ("streets.py", "_GAP"): "when the solver stops",
    ("tntp.py", "_TOTAL_TOLERANCE"): "rounding in published files",
    ("tntp.py", "write_trips"): "entries a line of the published format",
    ("lifecycle.py", "_figure"): "scales of notable changes, as in the table of indicators",
    ("valuation.py", "_KEPT"): "size of a cache",
    ("valuation.py", "GRAPH"): "bytes of memory",
    ("valuation.py", "PAIR, PLACE"): "bytes of memory",
    ("measures/flows.py", "SEARCHES"): "runs of the solver",
    ("measures/disturbance.py", "SIZE"): "step of finite differences",
    ("measures/scaling.py", "scaling_exponent"): "a 95 % interval",
    ("measures/spatial.py", "moran"): "coefficients of the formula",
}


class Number(NamedTuple):
    """A literal of a module: where it stands, what it is assigned to, and how it is used."""

    file: str
    line: int
    value: float
    owner: str

    def __str__(self) -> str:
        return f"envs/city/{self.file}:{self.line}: {self.value!r} in {self.owner or 'the module'}"


def numbers(path: Path) -> Iterator[Number]:
    """Every number of a module that is not structural.

    Whole numbers count where they are calculated with or given a name; elsewhere they are
    sizes, axes and rounds.
    """
    name = str(path.relative_to(CITY))
    yield from _walk(ast.parse(path.read_text(encoding="utf-8")), name, "", False)


def _walk(node: ast.AST, file: str, owner: str, counts: bool) -> Iterator[Number]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        owner = owner or node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign) and not owner:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        owner = ", ".join(ast.unparse(target) for target in targets).strip("()")
        counts = True
    elif isinstance(node, ast.BinOp | ast.Compare):
        counts = True
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        value = float(node.value)
        structural = abs(value) in STRUCTURAL or (
            value == int(value) and abs(value) <= LARGEST_INDEX
        )
        if not structural and (counts or isinstance(node.value, float)):
            yield Number(file, node.lineno, node.value, owner)
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, file, owner, counts)


def modules() -> list[Path]:
    return sorted(path for path in CITY.rglob("*.py") if path.name not in TABLES)


def test_no_module_holds_a_model_parameter() -> None:
    """A number that could be another belongs into ``envs/city/parameter_table.py``."""
    found = [number for path in modules() for number in numbers(path)]
    stray = [str(n) for n in found if (n.file, n.owner) not in ALLOWED]
    assert not stray, "move these into the parameter table:\n" + "\n".join(stray)
    unused = set(ALLOWED) - {(n.file, n.owner) for n in found}
    assert not unused, f"nothing to allow any more: {unused}"
    assert all(ALLOWED.values())


def test_the_search_sees_numbers_wherever_they_hide(tmp_path: Path) -> None:
    code = (
        "RATE = 20\n"
        "def f(x, share=0.35):\n"
        "    y = x * 7 + x ** 2 / 12 - 0.5\n"
        "    return [y] * 3, range(100), -0.25\n"
        "class Preset:\n"
        "    gain: float = 0.97\n"
    )
    path = tmp_path / "some.py"
    path.write_text(code)
    found = [(n.value, n.owner) for n in _walk(ast.parse(code), "some.py", "", False)]
    assert found == [(20, "RATE"), (0.35, "f"), (7, "f"), (0.25, "f"), (0.97, "Preset")]


@pytest.mark.parametrize("parameter", TABLE.values(), ids=lambda p: p.name)
def test_a_parameter_lacks_nothing(parameter: Parameter) -> None:
    for text in (parameter.unit, parameter.source, parameter.meaning, parameter.block):
        assert text.strip()
    assert parameter.low < parameter.high
    values = parameter.default if isinstance(parameter.default, tuple) else (parameter.default,)
    assert bool(parameter.axis) == isinstance(parameter.default, tuple)
    if not parameter.solved:
        assert all(parameter.low <= value <= parameter.high for value in values)
    if parameter.checked:
        assert not parameter.source.startswith("assumed")


def read_parameters(tree: ast.Module) -> set[str]:
    """Parameters that a module reads: attributes of a view (``p.bd.wage``) or of a name that
    stands for one, and names that are put together (``getattr(p.bd, f"tag_{name}")``)."""
    views, found = {"b", "bd", "bdk"}, set()
    names = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(isinstance(x, ast.Attribute) and x.attr in views for x in parts_of(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Attribute(attr=view), attr=name) if view in views:
                found.add(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in names:
                found.add(name)
            case ast.Call(
                func=ast.Name(id="getattr"),
                args=[
                    ast.Attribute(attr=view),
                    ast.JoinedStr(values=[ast.Constant(value=start), _]),
                ],
            ) if view in views:
                found |= {name for name in TABLE if name.startswith(str(start))}
    return found


def parts_of(value: ast.expr) -> tuple[ast.expr, ...]:
    """What a name may stand for: the value, or either branch of a choice."""
    return (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)


@pytest.mark.parametrize("parameter", TABLE.values(), ids=lambda p: p.name)
def test_a_parameter_is_read_by_the_module_it_names(parameter: Parameter) -> None:
    tree = ast.parse((CITY / f"{parameter.block}.py").read_text(encoding="utf-8"))
    assert parameter.name in read_parameters(tree)


def test_only_what_goes_through_a_view_counts_as_read() -> None:
    code = (
        "def f(s, p):\n"
        "    v = p.b if s else p.bd\n"
        "    tags = [getattr(p.bd, f'tag_{x}') for x in s]\n"
        "    return s.wage * p.bdk.eps * v.trust, tags, s.frequency\n"
    )
    tags = {name for name in TABLE if name.startswith("tag_")}
    assert read_parameters(ast.parse(code)) == {"eps", "trust", *tags}


def test_names_are_told_once() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("parameter", TABLE.values(), ids=lambda p: p.name)
def test_a_parameter_has_one_value_for_each_entry_of_its_axis(parameter: Parameter) -> None:
    if parameter.axis:
        assert isinstance(parameter.default, tuple)
        assert len(parameter.default) == len(AXES[parameter.axis])


def test_files_may_name_entries_and_leave_out_those_that_stay() -> None:
    usual = TABLE["om_service"].default
    assert isinstance(usual, tuple)
    found = parse_values({"om_service": {"safety": 0.5}, "om_fee": 0.25, "eps": 4})
    assert found["om_service"] == (*usual[:2], 0.5, *usual[3:])
    assert found["om_fee"] == (0.25,) * len(usual)
    assert found["eps"] == 4.0
    assert parse_values({"om_service": by_entry("om_service", usual)}) == {"om_service": usual}
    with pytest.raises(ValueError, match=r"om_fee has no 'parks'; unknown parameter nothing"):
        parse_values({"om_fee": {"parks": 1.0}, "nothing": 1.0})
