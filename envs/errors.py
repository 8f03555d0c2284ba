"""Errors of whoever asks for a world: they say what to change, and need no traceback."""


class ScenarioError(ValueError):
    """A scenario that cannot be had: offered wrongly, or not with these options in this city."""


class CompileError(ScenarioError):
    """A step that cannot be compiled on this machine, or with these options, or for this use."""
