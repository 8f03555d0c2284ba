"""Values without logic: cities, scenarios, agents, twin, gate and experiment defaults."""

from pathlib import Path


def root() -> Path:
    """Folder that holds the configuration files, in a checkout and in an installed wheel."""
    return Path(__file__).resolve().parent
