"""How a user's own files are written: what no reader could take is refused."""

import pytest
from toy_sources import data_params


@pytest.mark.parametrize("delimiter", ["§", "\0", "a\0"])
def test_delimiters_that_no_reader_takes(delimiter):
    with pytest.raises(ValueError, match=r"delimiter\n.*should be an ASCII character"):
        data_params(delimiter=delimiter)
