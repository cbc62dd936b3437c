"""The one exception that a user is meant to read."""

from collections.abc import Mapping


class UserError(Exception):
    """Something the user can mend: one line that names the file, field or flag, and the way out.

    The command line prints it without a traceback and ends with exit code 2.
    """


def check_least(least: int, numbers: Mapping[str, int | None]) -> None:
    """UserError naming the first flag of `numbers` {flag: value} that is less than `least`; None was not given."""
    for flag, value in numbers.items():
        if value is not None and value < least:
            raise UserError(f"--{flag} {value}: give a number of at least {least}")
