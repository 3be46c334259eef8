"""YAML is read as DVC reads it: what dvc.lock records is what the stages use."""

import pytest
from dvc.utils.serialize import parse_yaml as parse_as_dvc
from hypothesis import given
from hypothesis import strategies as st

from sasrec.base.yaml_files import parse_yaml

# What YAML 1.1, PyYAML's, reads otherwise: octal, truth values, base 60, numbers without a point.
OTHERWISE = {"010": 10, "08": 8, "no": "no", "On": "On", "y": "y", "1:30": "1:30", "1e-3": 0.001}
SCALARS = st.one_of(
    st.from_regex(r"[-+]?[0-9_]{1,4}(\.[0-9_]*)?(e[-+]?[0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"0[xob]?[0-9a-f]{1,3}", fullmatch=True),
    st.from_regex(r"[0-9]{1,2}:[0-9]{2}", fullmatch=True),
    st.sampled_from(["yes", "NO", "off", "true", "False", "~", "null", ".nan", ".INF", "", "é"]),
)


@pytest.mark.parametrize(("text", "value"), OTHERWISE.items())
def test_version_1_2(text, value):
    found = parse_yaml(f"train:\n  seed: {text}\n")["train"]["seed"]
    assert (type(found), found) == (type(value), value)


@given(SCALARS)
def test_every_scalar_is_what_dvc_records(text):
    def outcome(parse, *arguments):
        try:
            return repr(parse(f"key: {text}\n", *arguments))
        except ValueError:
            return "refused"
        except Exception as error:  # DVC's own
            return "refused" if "unable to read" in str(error) else repr(error)

    assert outcome(parse_yaml) == outcome(parse_as_dvc, "params.yaml")


@pytest.mark.parametrize("content", ["a: [1", "a:\n\t- x", b"a: \xff\xfe", "a: 2024-13-01", "a: ="])
def test_what_is_no_yaml_is_one_line(content):
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_yaml(content)
    assert "\n" not in str(caught.value)


def test_a_key_stated_twice_is_named_with_its_line():
    with pytest.raises(ValueError, match="line 3: the key 'b' is stated twice"):
        parse_yaml("a:\n  b: 1\n  b: 2\n")


def test_an_empty_text_is_none():
    assert parse_yaml("# nothing\n") is None
