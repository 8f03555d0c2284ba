"""The command `polislab`: builds the application out of `experiments.commands`."""

from __future__ import annotations

import logging
import os
import sys

import typer

from experiments.commands import register
from experiments.commands.output import complain
from experiments.errors import InputError

app = typer.Typer(
    name="polislab",
    help="A reinforcement-learning policy lab for cities.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
register(app)


def main() -> None:
    """Run the command line; bad input ends with its message and exit code 2.

    One thread a process unless the environment says otherwise: on small cities a second
    thread costs more than it brings. Set before any command imports torch.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("polislab").setLevel(logging.INFO)
    try:
        app()
    except ValueError as error:
        problems = _faults(error)
        if not problems:
            raise
        complain(problems)
        sys.exit(2)


def _faults(error: ValueError) -> list[str]:
    """What people can mend, in words; nothing where the program is at fault."""
    if isinstance(error, InputError):
        return error.problems
    from envs.errors import ScenarioError

    return [str(error)] if isinstance(error, ScenarioError) else []


if __name__ == "__main__":
    main()
