"""The one error that commands show to people: a message without a traceback, exit code 2."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(ValueError):
    """Bad input; `problems` holds one sentence for each fault."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))
