"""Arrays as .npy files: they come back, and what is no such file is a sentence."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.base.errors import UserError
from sasrec.base.files import (
    read_npy,
    write_npy,
)


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("array", [np.arange(6, dtype=np.int32).reshape(2, 3).T, np.int32([])])
def test_arrays_come_back(tmp_path, array, memory_map):
    path = tmp_path / "x.npy"
    write_npy(path, array)
    found = read_npy(path, np.int32, memory_map=memory_map)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.int32
    assert isinstance(found, np.memmap) is memory_map


def test_writing_to_a_mapped_array_does_not_reach_the_file(tmp_path):
    path = tmp_path / "x.npy"
    write_npy(path, np.arange(5))
    read_npy(path, np.int64)[2] = 99
    assert read_npy(path, np.int64).tolist() == [0, 1, 2, 3, 4]


def test_the_same_array_is_the_same_bytes(tmp_path):
    array = np.arange(12).reshape(3, 4)
    write_npy(tmp_path / "a.npy", array)
    write_npy(tmp_path / "b.npy", np.asfortranarray(array))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_objects_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npy(tmp_path / "x.npy", np.array([{}]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [np.float32, np.int64, np.dtype(">i4")])
def test_another_dtype_is_refused(tmp_path, wrong):
    np.save(tmp_path / "x.npy", np.ones(3, wrong))
    with pytest.raises(UserError, match=rf"x\.npy holds {np.dtype(wrong)}, expected int32"):
        read_npy(tmp_path / "x.npy", np.int32)


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, 40), slice(0, -1), slice(1, None)])
def test_a_corrupt_array_is_a_sentence(tmp_path, cut, memory_map):
    path = tmp_path / "x.npy"
    write_npy(path, np.arange(100))
    path.write_bytes(path.read_bytes()[cut])
    with pytest.raises(UserError, match=r"x\.npy is not a readable \.npy array"):
        read_npy(path, np.int64, memory_map=memory_map)


def test_a_pickle_is_not_loaded(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    for memory_map in (True, False):
        with pytest.raises(UserError, match="not a readable"):
            read_npy(tmp_path / "x.npy", np.int32, memory_map=memory_map)


def test_another_number_of_dimensions_is_refused(tmp_path):
    write_npy(tmp_path / "x.npy", np.zeros((2, 3), np.int32))
    read_npy(tmp_path / "x.npy", np.int32, ndim=2)
    with pytest.raises(UserError, match=r"x\.npy has the shape \(2, 3\), expected 1 dimension"):
        read_npy(tmp_path / "x.npy", np.int32, ndim=1)


def test_an_archive_of_arrays_is_no_array(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.arange(3))
    (tmp_path / "x.npz").rename(tmp_path / "x.npy")
    with pytest.raises(UserError, match="not a readable"):
        read_npy(tmp_path / "x.npy", np.int64)


@given(st.data())
def test_a_damaged_array_is_read_or_is_a_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "x.npy"
    write_npy(path, np.arange(6).reshape(2, 3))
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.sampled_from(b"\x00\x01\x7f\xff'(){}[],:0123456789<>|ifUO L"))
    path.write_bytes(content)
    for memory_map in (True, False):
        with contextlib.suppress(UserError):
            read_npy(path, np.int64, memory_map=memory_map)
