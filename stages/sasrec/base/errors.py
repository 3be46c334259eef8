"""A user's mistake is one plain sentence, not a traceback."""

import unicodedata

# Controls, lone surrogates, line and paragraph separators; and invisible marks, of which those
# that turn the direction of writing make a line look like another one.
HIDDEN = {"Cc", "Cs", "Zl", "Zp", "Cf"}
JOINERS = "\u200c\u200d"  # part of the spelling in some languages


class UserError(Exception):
    """A mistake that its message explains: what was found, where, and what was expected."""


def printable(text: str) -> str:
    """`text` as one line that does nothing to a terminal: what is hidden is shown escaped."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in HIDDEN and character not in JOINERS
        else character
        for character in text
    )
