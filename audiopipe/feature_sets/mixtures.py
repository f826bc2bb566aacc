"""Sources from which `load` draws clips: the items of a list with weights, or the values of a column."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from audiopipe import checks
from audiopipe.errors import ArgumentError
from audiopipe.feature_sets import generations
from audiopipe.feature_sets.feature_set import FeatureSet, clips_of, reopened
from audiopipe.feature_sets.index import Rows
from audiopipe.feature_sets.set_members import common_normalization, picked
from audiopipe.feature_sets.weighted_draws import WeightedDraws
from audiopipe.inputs.columns import is_list

_SHOWN_IDS = 3


@dataclass(frozen=True, slots=True)
class Mixture:
    """Clips of sources and how to draw from them.

    Args:
        rows: Numbers of the clips in the joined sets, those of the first source first.
        draws: The sources.
    """

    rows: Rows
    draws: WeightedDraws


def joined(items: Sequence[FeatureSet]) -> FeatureSet:
    """Joins the items of a list, like `FeatureSet`, except that they may have clips of one set in common.

    Raises:
        ConfigMismatchError: If the items are normalized in different ways.
        FeatureSetError: If clips of different sets have one id.
    """
    keys = [_keys(item) for item in items]
    members = list(itertools.chain(*keys))
    if len(set(members)) == len(members):
        return FeatureSet(items)
    firsts: dict[tuple[generations.Generation, str], int] = {}  # number of the first clip of each set
    count, taken = 0, []
    for item, of_item in zip(items, keys, strict=True):
        sizes = [description.counts["clips"] for description in item.descriptions]
        for key, size in zip(of_item, sizes, strict=True):
            if key not in firsts:
                firsts[key] = count
                count += size
        rows = np.asarray(clips_of(item)[1], np.int64)
        starts = np.cumsum([0, *sizes], dtype=np.int64)
        numbers = np.searchsorted(starts, rows, side="right") - 1
        taken.append(rows - starts[numbers] + np.array([firsts[key] for key in of_item])[numbers])
    opened, prefixes = zip(*firsts, strict=True)
    normalized = common_normalization([(item.paths[0], item.normalized_config) for item in items])
    return reopened(opened, prefixes, np.concatenate(taken), any(item.is_sharded for item in items), normalized)


def _keys(item: FeatureSet) -> list[tuple[generations.Generation, str]]:
    """Returns what tells the sets of an item from others: their generations and the texts before their ids."""
    return list(zip(map(generations.of, item.descriptions), item.prefixes, strict=True))


def weighted(feature_set: FeatureSet, items: Sequence[FeatureSet], weights: Any) -> Mixture:
    """Returns a source for each item of a list.

    Args:
        feature_set: The items, joined.
        items: Each of them.
        weights: Probability of each item, up to a common factor.

    Raises:
        ArgumentError: If there is not one number of at least 0 for each item, all are 0, or an item without clips has
            a weight.
    """
    names = ", ".join(repr(item) for item in items)
    if isinstance(weights, np.ndarray):
        weights = weights.tolist()
    if not isinstance(weights, Sequence) or isinstance(weights, str) or len(weights) != len(items):
        raise ArgumentError(
            f"weights must have one number for each of the {len(items)} items. Received: weights={weights!r} for "
            f"{names}."
        )
    values = [checks.real(f"weights[{number}]", weight, minimum=0) for number, weight in enumerate(weights)]
    if not 0 < sum(values) < math.inf:
        raise checks.fail("weights", "numbers with a positive, finite sum", weights)
    for item, weight in zip(items, values, strict=True):
        if weight and not len(item):
            raise ArgumentError(
                f"An item without clips must have the weight 0. Received: the weight {weight:g} for {item!r}."
            )
    return Mixture(clips_of(feature_set)[1], WeightedDraws(values, [len(item) for item in items]))


def balanced(feature_set: FeatureSet, column: Any) -> Mixture:
    """Returns a source for each value of a metadata column, all with the same weight.

    Raises:
        ArgumentError: If there is no such column, it has lists, or a clip has no value.
    """
    types = feature_set.schema
    suited = [name for name, kind in types.items() if not is_list(kind)]
    if column not in suited:
        lists = " That column has lists." if column in list(types) else ""
        raise ArgumentError(
            f"balance must be a metadata column with one value per clip, one of {suited}. Received: "
            f"balance={column!r}.{lists}"
        )
    sets, rows = clips_of(feature_set)
    values = sets.column(column, rows)
    if values.null_count:
        missing = np.flatnonzero(pc.is_null(values).to_numpy())
        examples = ", ".join(map(repr, feature_set.select(missing[:_SHOWN_IDS]).ids))
        raise ArgumentError(
            f"All clips must have a value in the column {column!r} to balance its values. Received: {len(missing)} of "
            f"{len(rows)} clips without one, such as {examples}. Take the others with where(lambda clip: "
            f"clip[{column!r}] is not None)."
        )
    codes, sizes = _codes(values)
    return Mixture(picked(rows, np.argsort(codes, kind="stable")), WeightedDraws(np.ones(len(sizes)), sizes))


def _codes(values: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a number for the value of each clip, and how many clips have each number."""
    encoded = values.unify_dictionaries() if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    codes = np.concatenate([np.zeros(0, np.int64), *(chunk.indices.to_numpy() for chunk in encoded.chunks)])
    codes = codes.astype(np.int64)
    return codes, np.bincount(codes)
