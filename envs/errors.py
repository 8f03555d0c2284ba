"""The error of whoever asks for a world: it says what to change, and needs no traceback."""


class ScenarioError(ValueError):
    """A scenario that cannot be had: offered wrongly, or not with these options in this city."""
