"""Road networks in the TNTP text format of Transportation Networks for Research.

Four kinds of file: ``*_net.tntp`` (links), ``*_trips.tntp`` (trips between zones),
``*_node.tntp`` (coordinates) and ``*_flow.tntp`` (published link flows). Rows end with a
semicolon, lines that start with ``~`` are comments, and the first lines of networks and trip
tables are metadata such as ``<NUMBER OF ZONES> 24``. Files number nodes from 1; everything here
counts from 0, and zones are the first nodes. A reader reports all problems at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_END = "<END OF METADATA>"
_TOTAL_TOLERANCE = 0.01
_COLUMNS = (
    "init_node",
    "term_node",
    "capacity",
    "length",
    "free_flow_time",
    "b",
    "power",
    "speed",
    "toll",
    "link_type",
)
_POSITIVE = ("capacity",)
_NOT_NEGATIVE = ("length", "free_flow_time", "b", "power", "toll")


@dataclass(frozen=True)
class LinkTable:
    """Links of a network, one array row a link; time = free_time (1 + b (flow/capacity)^power).

    Attributes:
        zones, nodes: how many; zones are the nodes 0 to ``zones - 1``.
        first_through: first node that routes may pass through; zones before it are ends only.
        tail, head: ``[L]`` nodes that a link leaves and enters.
        capacity, length, free_time, b, power, speed, toll: ``[L]`` in the file's units.
        kind: ``[L]`` link type of the file.
    """

    zones: int
    nodes: int
    first_through: int
    tail: Integers
    head: Integers
    capacity: Floats
    length: Floats
    free_time: Floats
    b: Floats
    power: Floats
    speed: Floats
    toll: Floats
    kind: Integers


def read_network(path: Path | str) -> LinkTable:
    """Links of a ``*_net.tntp`` file.

    Raises:
        ValueError: all problems of the file, each with its line.
    """
    report = _Report(path)
    meta, lines = _split(path, report)
    zones = report.count(meta, "NUMBER OF ZONES")
    nodes = report.count(meta, "NUMBER OF NODES")
    through = report.count(meta, "FIRST THRU NODE")
    expected = report.count(meta, "NUMBER OF LINKS")
    rows: list[list[float]] = []
    for number, text in lines:
        cells = text.rstrip(";").split()
        if len(cells) != len(_COLUMNS):
            report(number, f"{len(cells)} fields; expected {len(_COLUMNS)}: {' '.join(_COLUMNS)}")
            continue
        values = [report.number(number, *pair) for pair in zip(_COLUMNS, cells, strict=True)]
        row = dict(zip(_COLUMNS, values, strict=True))
        for name in ("init_node", "term_node"):
            report.node(number, name, row[name], nodes)
        for name in _POSITIVE:
            if row[name] <= 0:
                report(number, f"{name} {row[name]:g}; expected above 0")
        for name in _NOT_NEGATIVE:
            if row[name] < 0:
                report(number, f"{name} {row[name]:g}; expected at least 0")
        if row["init_node"] == row["term_node"]:
            report(number, f"the link leaves and enters node {row['init_node']:g}")
        rows.append(values)
    if expected and len(rows) != expected:
        report(None, f"{len(rows)} links; <NUMBER OF LINKS> says {expected}")
    if zones > nodes:
        report(None, f"{zones} zones but {nodes} nodes; zones are the first nodes")
    report.finish()
    table = np.array(rows, dtype=np.float64).reshape(-1, len(_COLUMNS)).T
    tail, head, capacity, length, free_time, b, power, speed, toll, kind = table
    return LinkTable(
        zones=zones,
        nodes=nodes,
        first_through=through - 1,
        tail=tail.astype(np.int64) - 1,
        head=head.astype(np.int64) - 1,
        capacity=capacity,
        length=length,
        free_time=free_time,
        b=b,
        power=power,
        speed=speed,
        toll=toll,
        kind=kind.astype(np.int64),
    )


def write_network(path: Path | str, table: LinkTable) -> None:
    """Write links so that ``read_network`` gives them back exactly."""
    head = [
        f"<NUMBER OF ZONES> {table.zones}",
        f"<NUMBER OF NODES> {table.nodes}",
        f"<FIRST THRU NODE> {table.first_through + 1}",
        f"<NUMBER OF LINKS> {len(table.tail)}",
        f"{_END}\n",
        "~\t" + "\t".join(_COLUMNS) + "\t;",
    ]
    rows = zip(
        table.tail + 1,
        table.head + 1,
        table.capacity,
        table.length,
        table.free_time,
        table.b,
        table.power,
        table.speed,
        table.toll,
        table.kind,
        strict=True,
    )
    _write(path, head + ["\t" + "\t".join(_shown(x) for x in row) + "\t;" for row in rows])


def read_trips(path: Path | str) -> Floats:
    """Trips ``[zones, zones]`` (origin, destination) of a ``*_trips.tntp`` file.

    Raises:
        ValueError: all problems of the file, each with its line.
    """
    report = _Report(path)
    meta, lines = _split(path, report)
    zones = report.count(meta, "NUMBER OF ZONES")
    trips = np.full((max(zones, 1), max(zones, 1)), np.nan)
    origin: int | None = None
    for number, text in lines:
        if text.lower().startswith("origin"):
            origin = report.node(number, "origin", report.number(number, "origin", text[6:]), zones)
            continue
        for entry in filter(None, (part.strip() for part in text.split(";"))):
            name, colon, amount = entry.partition(":")
            if not colon:
                report(number, f"{entry!r}; expected 'destination : trips'")
                continue
            value = report.number(number, "trips", amount)
            to = report.node(
                number, "destination", report.number(number, "destination", name), zones
            )
            if value < 0:
                report(number, f"{value:g} trips; expected at least 0")
            if origin is None or to is None:
                if to is not None:
                    report(number, "trips before any line 'Origin n'")
                continue
            if not np.isnan(trips[origin, to]):
                report(number, f"trips from {origin + 1} to {to + 1} are given twice")
            trips[origin, to] = value
    trips[np.isnan(trips)] = 0.0
    stated = meta.get("TOTAL OD FLOW")
    if stated is not None:
        total = report.number(stated[0], "<TOTAL OD FLOW>", stated[1])
        if abs(trips.sum() - total) > _TOTAL_TOLERANCE * abs(total):
            report(None, f"{trips.sum():g} trips; <TOTAL OD FLOW> says {total:g}")
    report.finish()
    return trips


def write_trips(path: Path | str, trips: Floats) -> None:
    """Write trips ``[zones, zones]`` so that ``read_trips`` gives them back exactly."""
    lines = [f"<NUMBER OF ZONES> {len(trips)}", f"<TOTAL OD FLOW> {_shown(trips.sum())}", _END]
    for origin, row in enumerate(trips):
        entries = [f"{to + 1:5d} : {_shown(row[to]):>10};" for to in np.flatnonzero(row)]
        lines.append(f"\nOrigin {origin + 1}")
        lines += [" ".join(entries[i : i + 5]) for i in range(0, len(entries), 5)]
    _write(path, lines)


def read_nodes(path: Path | str) -> Floats:
    """Coordinates ``[nodes, 2]`` (x, y) of a ``*_node.tntp`` file, by node.

    Raises:
        ValueError: all problems of the file, each with its line.
    """
    report = _Report(path)
    found: dict[int, tuple[float, float]] = {}
    for number, cells in _rows(path, report, "node x y", 3):
        node, x, y = cells
        if node in found:
            report(number, f"node {node:g} is given twice")
        found[int(node)] = (x, y)
    missing = sorted(set(range(1, len(found) + 1)) - set(found))
    if missing:
        report(None, f"nodes {', '.join(map(str, missing))} have no coordinates")
    report.finish()
    table: Floats = np.array([found[node] for node in sorted(found)]).reshape(-1, 2)
    return table


def read_flows(path: Path | str) -> Floats:
    """Rows ``[L, 4]`` of a ``*_flow.tntp`` file: tail, head (from 0), flow and cost.

    Raises:
        ValueError: all problems of the file, each with its line.
    """
    report = _Report(path)
    rows = [cells for _, cells in _rows(path, report, "from to volume cost", 4)]
    report.finish()
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    table[:, :2] -= 1
    return table


class _Report:
    """Problems of one file, gathered until they are raised together."""

    def __init__(self, path: Path | str) -> None:
        self.name = Path(path).name
        self.problems: list[str] = []

    def __call__(self, line: int | None, message: str) -> None:
        where = self.name if line is None else f"{self.name}, line {line}"
        self.problems.append(f"{where}: {message}")

    def number(self, line: int, name: str, text: str) -> float:
        """The number that ``text`` holds; a problem and 1 where it holds none."""
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if np.isfinite(value):
            return value
        self(line, f"{name} {text.strip()!r}; expected a number")
        return 1.0

    def node(self, line: int, name: str, value: float, nodes: int) -> int | None:
        """Index of node ``value``; a problem and None where the network has no such node."""
        if value == int(value) and 1 <= value <= nodes:
            return int(value) - 1
        if nodes:
            self(line, f"{name} {value:g}; expected a whole number from 1 to {nodes}")
        return None

    def count(self, meta: dict[str, tuple[int, str]], key: str) -> int:
        """A count of the metadata; a problem and 0 where it is missing or not a count."""
        line, text = meta.get(key, (None, ""))
        if text.isdecimal() and int(text) > 0:
            return int(text)
        self(line, f"<{key}> {text!r}; expected a whole number above 0")
        return 0

    def finish(self) -> None:
        """Raise all problems in one ValueError."""
        if self.problems:
            raise ValueError("\n".join(self.problems))


def _split(
    path: Path | str, report: _Report
) -> tuple[dict[str, tuple[int, str]], list[tuple[int, str]]]:
    """Metadata by key as (line, text), and the numbered lines of data."""
    meta: dict[str, tuple[int, str]] = {}
    lines = list(_lines(path))
    for position, (number, text) in enumerate(lines):
        if text.upper().startswith(_END):
            return meta, [line for line in lines[position + 1 :] if not line[1].startswith("<")]
        if text.startswith("<"):
            key, _, value = text[1:].partition(">")
            meta[key.strip().upper()] = (number, value.strip())
    report(None, f"no line {_END}")
    return meta, []


def _rows(
    path: Path | str, report: _Report, columns: str, width: int
) -> Iterator[tuple[int, list[float]]]:
    """Numbered rows of numbers of a table without metadata; its first line may name columns."""
    for position, (number, text) in enumerate(_lines(path)):
        cells = text.rstrip(";").split()
        if position == 0 and not cells[0].lstrip("-").replace(".", "", 1).isdigit():
            continue
        if len(cells) != width:
            report(number, f"{len(cells)} fields; expected {width}: {columns}")
            continue
        yield number, [report.number(number, "value", cell) for cell in cells]


def _lines(path: Path | str) -> Iterator[tuple[int, str]]:
    """Numbered lines that are neither empty nor comments."""
    text = Path(path).read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.rstrip(";").strip() and not stripped.startswith("~"):
            yield number, stripped


def _shown(value: Any) -> str:
    """Shortest text that reads back as the same number."""
    return repr(int(value)) if float(value) == int(value) else repr(float(value))


def _write(path: Path | str, lines: list[str]) -> None:
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
