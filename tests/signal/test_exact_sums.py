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


@pytest.mark.parametrize("bits", [0, 20, 60, 120])
@pytest.mark.parametrize("known", [True, False])
def test_parts_have_the_exact_sum_of_float32_numbers_of_any_range(bits, known):
    random = np.random.default_rng(bits)
    terms = (random.integers(1, 1 << 24, (1000, 2)) * 2.0 ** random.integers(-bits, 1, (1000, 2))).astype(np.float32)
    unit = np.full(2, 2.0**-bits) if known else 0.0
    for column, rows in zip(terms.T, np.transpose(exact_sums.parts(terms, unit)), strict=True):
        assert sum(map(Fraction, rows.tolist())) == sum(map(Fraction, column.tolist()))


@pytest.mark.parametrize("integer", [0, 1, -1, 3 << 500, -(2**100) + 1])
def test_texts_keep_integers(integer):
    text = exact_sums.to_text(integer, UNIT)
    assert exact_sums.from_text(text, UNIT) == integer


@pytest.mark.parametrize("text", ["", "1", "1p", "zp0", None, 4, "1p-299", "1p9999999999"])
def test_other_texts_are_refused(text):
    with pytest.raises(ArgumentError, match="A number must be"):
        exact_sums.from_text(text, UNIT)
