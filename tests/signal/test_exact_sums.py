"""Sums of float64 numbers as integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.errors import ArgumentError
from audiopipe.signal import exact_sums

UNIT = -298
NUMBERS = st.floats(-(2.0**260), 2.0**260, width=64).map(lambda value: float(int(value * 2.0**298)) * 2.0**-298)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=40))
def test_sums_are_those_of_fractions(rows):
    sums = exact_sums.column_sums(np.array(rows), UNIT)
    assert [Fraction(total) * Fraction(2) ** UNIT for total in sums] == [
        sum(map(Fraction, column)) for column in zip(*rows, strict=True)
    ]


def test_sums_of_many_rows_of_all_sizes_do_not_depend_on_the_order():
    random = np.random.default_rng(0)
    terms = random.standard_normal((700, 3)) * 2.0 ** random.integers(-200, 200, (700, 3))
    expected = [sum(int(Fraction(value) * 2**298) for value in column) for column in terms.T]
    for _ in range(3):
        assert exact_sums.column_sums(random.permutation(terms), UNIT) == expected


@pytest.mark.parametrize("integer", [0, 1, -1, 3 << 500, -(2**100) + 1])
def test_texts_keep_integers(integer):
    text = exact_sums.to_text(integer, UNIT)
    assert exact_sums.from_text(text, UNIT) == integer


@pytest.mark.parametrize("text", ["", "1", "1p", "zp0", None, 4, "1p-299", "1p9999999999"])
def test_other_texts_are_refused(text):
    with pytest.raises(ArgumentError, match="A number must be"):
        exact_sums.from_text(text, UNIT)
