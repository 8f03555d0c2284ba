"""The commands of `polislab`, one module each; a module imports its worker when it runs."""

from __future__ import annotations

from importlib import import_module

import typer

COMMANDS = (
    "demo",
    "simulate",
    "train",
    "tune",
    "evaluate",
    "record",
    "compare",
    "regret",
    "results",
    "runs",
    "scenario",
    "city",
    "model",
    "twin",
    "recommend",
    "bench",
)
"""Modules of this package in the order of `polislab --help`; each has `register(app)`."""


def register(app: typer.Typer) -> None:
    """Add all commands to the application."""
    for name in COMMANDS:
        import_module(f"{__name__}.{name}").register(app)
