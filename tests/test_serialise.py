"""Text of JSON and CSV files, with the values that writers stumble over."""

from __future__ import annotations

import csv
import io
import json
from math import inf, nan

import numpy as np
import pytest

from corit.files import write_text
from corit.serialise import csv_text, finite, json_text, number_text

ODD_NAME = b"a\xff.png".decode(errors="surrogateescape")


def test_json_has_null_for_every_number_that_is_not_finite():
    value = {"a": nan, "b": [inf, -inf, (0.5, nan)], "c": {"d": np.float64("nan"), "e": -0.0}, "f": None, "g": True}
    text = json_text(value)
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, None, [0.5, None]],
        "c": {"d": None, "e": 0.0},
        "f": None,
        "g": True,
    }
    assert '"e": -0.0' in text
    assert text.endswith("}\n")
    assert value["a"] is not None  # the record itself is not changed


def test_json_of_finite_values_is_as_the_library_writes_it():
    value = {"x": [1, 2.5, 1e-7, 1e22], "y": "ä\u2028", 3: {"n": "a\rb"}, "z": (np.float64(0.1),)}
    assert json_text(value) == json.dumps(value, indent=2) + "\n"
    assert json_text(value, indent=1) == json.dumps(value, indent=1) + "\n"


def test_json_takes_numpy_scalars():
    assert json_text([np.float32(0.5), np.int64(3), np.bool_(True), np.float32(nan)], indent=0) == (
        "[\n0.5,\n3,\ntrue,\nnull\n]\n"
    )


def test_csv_quotes_what_readers_would_split():
    text = csv_text(
        [["a\rb", "c\nd", 'e"', None], ["f,g", "", 0.1, -0.0], [nan, inf, np.float64(0.1), np.float32(0.1)]]
    )
    assert text == '"a\rb","c\nd","e""",\n"f,g",,0.1,-0.0\nnan,inf,0.1,0.1\n'
    assert next(csv.reader(io.StringIO(text, newline=""))) == ["a\rb", "c\nd", 'e"', ""]


def test_csv_ends_lines_as_the_caller_asks():
    assert csv_text([["a", "b\nc"], [1, None]], line_end="\r\n") == 'a,"b\nc"\r\n1,\r\n'


def test_names_that_are_not_text_are_written_as_their_bytes(tmp_path):
    write_text(tmp_path / "a.csv", csv_text([[ODD_NAME]]))
    assert (tmp_path / "a.csv").read_bytes() == b"a\xff.png\n"
    assert json_text([ODD_NAME], indent=0) == '[\n"a\\udcff.png"\n]\n'


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(1 / 3, 5, 0.33333), (123456789.0, 4, 123500000.0), (nan, 5, None), (-inf, None, None), (1 / 3, None, 1 / 3)],
)
def test_finite_rounds_to_significant_digits(value, digits, expected):
    assert finite(value, digits) == expected
    assert finite(np.float64(value), digits) == expected


def test_finite_takes_arrays_as_nested_lists():
    assert finite(np.array([[1 / 3, nan], [-0.0, inf]], np.float32), 3) == [[0.333, None], [-0.0, None]]


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(0.5, ".6f", "0.500000"), (-0.0, ".6f", "-0.000000"), (nan, ".6f", ""), (inf, ".4f", ""), (1e-7, ".6g", "1e-07")],
)
def test_a_number_is_empty_where_it_is_not_finite(value, form, text):
    assert number_text(value, form) == text
