"""A short fuzz of the readers with fixed seeds; helpers/fuzz_readers.py runs as long as wanted."""

import pytest
from fuzz_readers import fuzz, other_seeds, outcome, parquet_seeds, text_seeds


def test_seeds_are_read_as_they_are(tmp_path):
    found = [outcome(case, tmp_path) for case in text_seeds() + other_seeds()]
    assert found == ["read"] * len(found)
    found = [outcome(case, tmp_path) for case in parquet_seeds()]
    assert found.count("read") > 0.5 * len(found)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_changed_file_is_read_or_refused_in_one_sentence(seed):
    counts = fuzz(seed, seconds=60, files=400)
    assert counts.total() == 400
    assert min(counts["read"], counts["refused"]) > 40
