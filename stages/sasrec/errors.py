"""A user's mistake is one plain sentence, not a traceback."""


class UserError(Exception):
    """A mistake that its message explains: what was found, where, and what was expected."""
