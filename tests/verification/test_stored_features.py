"""Tests of features that are taken in another order than they are stored."""

import numpy as np
import pytest

from audiopipe.verification import stored_features
from audiopipe.verification.stored_features import StoredFeatures


def features_of(ids):
    """Yields a feature of each clip, with its number as its values."""
    for number, clip_id in enumerate(ids):
        yield clip_id, np.full([number + 1, 2, 1], number, np.float32)


@pytest.mark.parametrize("held_bytes", [1, 1 << 20])
@pytest.mark.parametrize("order", ["abcdef", "fedcba", "cafebd", "eb", "f"])
def test_features_can_be_taken_in_any_order(order, held_bytes, monkeypatch):
    monkeypatch.setattr(stored_features, "HELD_BYTES", held_bytes)
    expected = dict(features_of("abcdef"))
    with StoredFeatures(features_of("abcdef"), order) as features:
        for clip_id in order:
            np.testing.assert_array_equal(features.take(clip_id), expected[clip_id])


def test_only_features_that_are_taken_later_wait():
    with StoredFeatures(features_of("abcdef"), "bdca") as features:
        features.take("b")
        features.take("d")
        assert set(features._waiting) == {"a", "c"}
        features.take("c")
        features.take("a")
        assert not features._waiting


def test_a_feature_that_is_not_stored_is_an_error():
    with StoredFeatures(features_of("ab"), "abc") as features, pytest.raises(KeyError):
        features.take("c")
