"""Generated data: exact sizes, the same bytes for a seed, structure to be learned."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.sources import synthetic
from sasrec.sources.synthetic import write_synthetic


def generate(folder, *size, seed=1) -> pd.DataFrame:
    write_synthetic(folder / "interactions.parquet", *size, seed=seed)
    return pd.read_parquet(folder / "interactions.parquet")


@given(st.integers(1, 40), st.integers(1, 130), st.integers(0, 300), st.integers(0, 5))
def test_sizes_are_exact_and_values_are_legal(tmp_path_factory, users, items, extra, seed):
    frame = generate(tmp_path_factory.mktemp("synthetic"), users, items, users + extra, seed=seed)
    assert len(frame) == users + extra
    assert frame["user"].unique().tolist() == list(range(1, users + 1))
    assert frame["user"].is_monotonic_increasing
    assert frame["item"].between(1, items).all()
    assert frame.groupby("user")["timestamp"].diff().dropna().gt(0).all()
    assert frame["timestamp"].between(synthetic.START, 4_102_444_799).all()
    assert frame.groupby("user").size().min() >= min(5, (users + extra) // users)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    contents = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_synthetic(tmp_path / name, 50, 101, 1009, seed=seed)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_chunks_hold_whole_users_and_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(synthetic, "CHUNK", 64)
    frame = generate(tmp_path, 53, 101, 1009)
    assert len(frame) == 1009
    assert frame["user"].unique().tolist() == list(range(1, 54))


def test_the_longest_history_ends_before_2100(tmp_path):
    frame = generate(tmp_path, 1, 11, 100_000)
    assert frame["timestamp"].iloc[-1] < 4_102_444_800


@pytest.fixture
def frame(tmp_path):
    return generate(tmp_path, 500, 1000, 50_000)


def test_the_next_cluster_follows_from_the_last(frame):
    cluster = (frame["item"] - 1) % (1000 // synthetic.ITEMS_PER_CLUSTER)
    same_user = frame["user"].diff().eq(0)
    moved = (cluster.diff()[same_user] % 20).value_counts(normalize=True)
    # STEPS has four zeros, five ones and a three, of ten; 4 standard errors are below .01.
    assert moved.index.sort_values().tolist() == [0, 1, 3]
    assert moved.loc[[0, 1, 3]].tolist() == pytest.approx([0.4, 0.5, 0.1], abs=0.01)


def test_a_few_items_are_popular(frame):
    counts = np.sort(frame["item"].value_counts().to_numpy())[::-1]
    # The share of a cluster's first tenth is the cube root of 0.1, that is .46.
    assert counts[:100].sum() / counts.sum() == pytest.approx(0.1 ** (1 / 3), abs=0.03)
