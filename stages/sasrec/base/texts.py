"""What a text may stand for."""


def is_number(text: str) -> bool:
    """Whether Python reads it as a number; "nan" and "inf" are."""
    try:
        float(text)
    except ValueError:
        return False
    return True
