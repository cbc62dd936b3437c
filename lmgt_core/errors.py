"""The one exception that a user is meant to read."""


class UserError(Exception):
    """Something the user can mend: one line that names the file, field or flag, and the way out.

    The command line prints it without a traceback and ends with exit code 2.
    """
