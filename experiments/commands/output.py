"""How commands speak: tables on standard output, complaints on standard error, JSON in files."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.errors import InputError

JsonOption = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Also write the result to FILE (- for stdout)."),
]

COLOURS = {"error": "red", "warning": "yellow"}


def show(shown: Any) -> None:
    """Print a table or a line of text."""
    from rich.console import Console

    wide = None if sys.stdout.isatty() else 120
    Console(width=wide, markup=False).print(shown)


def complain(problems: Sequence[str], kind: str = "error") -> None:
    """Print what is wrong with the input, or what to beware of, on standard error."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, soft_wrap=True)
    for problem in problems:
        console.print(f"[{COLOURS[kind]}]{kind}:[/] {escape(problem)}", highlight=False)


def emit(content: Any, file: Path | None) -> None:
    """Write the result for machines where `--json` asks for it."""
    if file is None:
        return
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
        return
    if file.is_dir() or not file.parent.is_dir():
        raise InputError(f"--json {file}: not a file in an existing folder")
    from agents.files import write_atomic

    write_atomic(file, text.encode())


def check_json(file: Path | None) -> None:
    """Refuse a bad `--json` before any work is done."""
    if file is not None and str(file) != "-" and (file.is_dir() or not file.parent.is_dir()):
        raise InputError(f"--json {file}: not a file in an existing folder")


def check_files(**files: Path | None) -> None:
    """Refuse files that cannot be written before any work is done; named by their options."""
    problems = [
        f"--{option} {file}: not a file in an existing folder"
        for option, file in files.items()
        if file is not None and (file.is_dir() or not file.parent.is_dir())
    ]
    if problems:
        raise InputError(problems)


def command_line() -> str:
    """The command line as it was typed, without its folder."""
    return " ".join(["polislab", *(shlex.quote(word) for word in sys.argv[1:])])


def relative(picture: Path | None, page: Path) -> str | None:
    """Path of a picture from the page's folder."""
    return None if picture is None else Path(os.path.relpath(picture, page.parent)).as_posix()
