"""The commands of `polislab`, one module each; a module imports its worker when it runs."""

from __future__ import annotations

import typer

import experiments.commands.city as city
import experiments.commands.evaluate as evaluate
import experiments.commands.runs as runs
import experiments.commands.scenario as scenario
import experiments.commands.train as train

MODULES = (train, evaluate, runs, scenario, city)
"""In the order of `polislab --help`; each has `register(app)`."""


def register(app: typer.Typer) -> None:
    """Add all commands to the application."""
    for module in MODULES:
        module.register(app)
