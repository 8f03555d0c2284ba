"""A step of an environment as one compiled program: lanes of a processor are environments."""
