"""Tables of texts that are shown in the terminal and written as Markdown from one source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MARKS = ">="
#: Longest name in a first column that is never folded.
NAME = 40


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes:
        title, columns, rows: a column that starts with ">" holds numbers, set to the right; one
            that starts with "=" is never folded, nor is the first where its texts are short.
        notes: paragraphs below the table.
        code: the first column holds identifiers, which Markdown shows as code.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()
    code: bool = False


def markdown(found: Sequence[Sheet], level: int = 3) -> str:
    """Sheets as Markdown tables under headings of a level."""
    parts: list[str] = []
    for sheet in found:
        heads = [column.lstrip(MARKS) for column in sheet.columns]
        rules = ["---:" if column.startswith(">") else "---" for column in sheet.columns]
        rows = [_coded(row) if sheet.code else row for row in sheet.rows]
        lines = [_row(heads), _row(rules), *(_row(row) for row in rows)]
        parts.append("\n".join([f"{'#' * level} {sheet.title}", "", *lines]))
        parts += sheet.notes
    return "\n\n".join(parts) + "\n"


def _coded(row: tuple[str, ...]) -> tuple[str, ...]:
    return (f"`{row[0]}`", *row[1:]) if row[0] else row


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.strip().replace("|", "\\|") for cell in cells) + " |"


def terminal(sheet: Sheet) -> Any:
    """A sheet as a table of the terminal; long texts and long names fold, numbers do not."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = Table(
        title=sheet.title,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    short = all(len(row[0]) <= NAME for row in sheet.rows)
    for place, column in enumerate(sheet.columns):
        shown.add_column(
            column.lstrip(MARKS),
            justify="right" if column.startswith(">") else "left",
            no_wrap=column[:1] in MARKS or (place == 0 and short),
            overflow="fold",
        )
    for row in sheet.rows:
        shown.add_row(*row)
    return shown


def number(value: Any) -> str:
    """Numbers short, several with spaces between them."""
    if isinstance(value, tuple | list):
        return " ".join(number(entry) for entry in value)
    return f"{value:g}"
