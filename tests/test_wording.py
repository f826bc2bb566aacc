"""Tests of numbers in messages."""

import pytest

from audiopipe import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.24, "0.2 s"), (9.5, "9.5 s"), (42.4, "42 s"), (99.6, "1.7 min"), (3600, "1.0 h"), (1e6, "277.8 h")],
)
def test_durations_for_people(seconds, text):
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(("n_bytes", "text"), [(0, "0 bytes"), (1000, "1.0 kB"), (2.5e9, "2.5 GB"), (7e12, "7.0 TB")])
def test_sizes_for_people(n_bytes, text):
    assert wording.size(n_bytes) == text


@pytest.mark.parametrize(
    ("count", "noun", "plural", "text"),
    [
        (0, "clip", None, "0 clips"),
        (1, "clip", None, "1 clip"),
        (1234, "clip", None, "1,234 clips"),
        (1, "copy", "copies", "1 copy"),
        (2, "copy", "copies", "2 copies"),
    ],
)
def test_a_number_has_its_noun_in_the_singular_or_the_plural(count, noun, plural, text):
    assert wording.count_of(count, noun, plural) == text
