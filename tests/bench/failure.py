"""What ends a measurement: said in the table, and by exit code 1."""


class Failure(Exception):
    """A package that cannot be fetched, an environment that cannot be made, a tool that broke."""


class NotMeasurable(Exception):
    """Something that is not there yet, or not on this machine: said in the table, no failure."""
