"""What is wrong with a city package: every problem, each with its place and what was expected."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHOWN_PER_KIND = 20
SHOWN_LENGTH = 60


class PackageError(ValueError):
    """A city package that cannot be used.

    Attributes:
        problems: one line a problem: ``file, row, column: value; expected ...``.
        folder: the package, as it was named.
    """

    def __init__(self, problems: Sequence[str], folder: Path | str = "") -> None:
        self.folder = str(folder)
        self.problems = list(problems)
        count = len(self.problems)
        heading = f"{self.folder or 'package'}: {count} problem{'s' if count != 1 else ''}"
        super().__init__("\n".join([heading, *(f"  {problem}" for problem in self.problems)]))


@dataclass(frozen=True)
class Source:
    """A CSV file as the messages name it. ``width`` is its number of columns."""

    shown: str
    path: Path
    width: int


@dataclass(frozen=True)
class _Kind:
    source: Source
    column: str
    cells: tuple[tuple[int, str, str], ...]
    count: int


@dataclass
class Problems:
    """Collects problems and warnings; a kind of problem shows its first rows and the count."""

    warnings: list[str] = field(default_factory=list)
    _found: list[str | _Kind] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of problems recorded, bad cells of one kind counted once."""
        return len(self._found)

    def add(self, text: str) -> None:
        """Record a problem that has no row, already in words."""
        self._found.append(text)

    def cell(self, file: str, row: int, column: str, value: object, expected: str) -> None:
        """Record one bad cell; ``row`` counts lines of the file, the header being row 1."""
        self._found.append(_line(file, row, column, value, expected))

    def cells(
        self,
        source: Source,
        column: str,
        cells: Iterable[tuple[int, str, str]],
        count: int,
    ) -> None:
        """Record one kind of bad cell.

        Args:
            source: the file.
            column: the column, or several.
            cells: the first (record number from 1, value, what was expected) of the kind.
            count: how many there are in all.
        """
        self._found.append(_Kind(source, column, tuple(cells)[:SHOWN_PER_KIND], count))

    def warn(self, texts: Sequence[str], more: str = "") -> None:
        """Record warnings of one kind; beyond the first few only their count is kept."""
        self.warnings.extend(texts[:SHOWN_PER_KIND])
        if len(texts) > SHOWN_PER_KIND:
            self.warnings.append(f"{more}: ... and {len(texts) - SHOWN_PER_KIND} more")

    def lines(self) -> list[str]:
        """All problems in words, records turned into lines of their files."""
        wanted: dict[Source, set[int]] = {}
        for found in self._found:
            if isinstance(found, _Kind):
                records = wanted.setdefault(found.source, set())
                records.update(record for record, _, _ in found.cells)
        rows = {source: line_numbers(source, records) for source, records in wanted.items()}
        lines: list[str] = []
        for found in self._found:
            if isinstance(found, str):
                lines.append(found)
                continue
            file, column = found.source.shown, found.column
            lines.extend(
                _line(file, rows[found.source].get(record, record + 1), column, value, expected)
                for record, value, expected in found.cells
            )
            if found.count > len(found.cells):
                more = found.count - len(found.cells)
                lines.append(f"{file}, column {column}: ... and {more} more of this kind")
        return lines


def line_numbers(source: Source, records: set[int]) -> dict[int, int]:
    """Line of the file (header = 1) on which each numbered record starts.

    Records are numbered as the table loader does: blank lines, rows with another number of cells
    and rows that are not UTF-8 are not counted.
    """
    found: dict[int, int] = {}
    if not records:
        return found
    last, record, line = max(records), 0, 0
    with source.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        for cells in reader:
            start, line = line + 1, reader.line_num
            if start == 1 or len(cells) != source.width or not is_unicode(cells):
                continue
            record += 1
            if record in records:
                found[record] = start
            if record >= last:
                break
    return found


def is_unicode(cells: Iterable[str]) -> bool:
    """Whether cells read with ``surrogateescape`` were all UTF-8."""
    return not any("\udc80" <= mark <= "\udcff" for cell in cells for mark in cell)


def show(value: object) -> str:
    """A value as the messages quote it, shortened where it is long."""
    text = str(value)
    if text == "":
        return "empty"
    if len(text) > SHOWN_LENGTH:
        text = text[: SHOWN_LENGTH - 3] + "..."
    return repr(text)


def _line(file: str, row: int, column: str, value: object, expected: str) -> str:
    return f"{file}, row {row}, column {column}: {show(value)}; expected {expected}"
