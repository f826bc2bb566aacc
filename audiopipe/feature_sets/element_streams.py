"""Elements of opened feature sets as a `tf.data.Dataset`, in any order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from audiopipe.configs.base import Config
from audiopipe.errors import FeatureSetError
from audiopipe.feature_sets import orders, record_streams
from audiopipe.feature_sets.decoding import Decoder
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.dtypes import DTYPES
from audiopipe.feature_sets.epoch_seeds import restorable, saved_with_elements
from audiopipe.feature_sets.feature_set import FeatureSet, clips_of, of_description
from audiopipe.feature_sets.mixtures import Mixture
from audiopipe.feature_sets.row_blocks import RowBlocks
from audiopipe.inputs.columns import Columns
from audiopipe.storage import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is read of feature sets, and in which order, see `audiopipe.load`.

    Args:
        columns: Names of the metadata columns to return. None means all.
        feature: Name of the entry of the feature.
        crop_frames: Number of frames of random crops. None means whole features.
        shuffle: Whether to shuffle.
        seed: Seed of the order and the crops.
        mixture: Sources to draw from. None means every clip once.
    """

    columns: Collection[str] | None = None
    feature: str = "feature"
    crop_frames: int | None = None
    shuffle: bool = False
    seed: int | None = None
    mixture: Mixture | None = None

    @property
    def is_random(self) -> bool:
        """Whether anything differs in every iteration."""
        return self.shuffle or self.crop_frames is not None or self.mixture is not None


def elements(feature_set: Description | FeatureSet, reading: Reading | None = None) -> tf.data.Dataset:
    """Returns the clips of an opened feature set as a dataset, like `load`."""
    reading = reading or Reading()
    if isinstance(feature_set, Description) and reading.is_random:
        feature_set = of_description(feature_set)
    if isinstance(feature_set, Description):
        dataset, count = _of_shards([feature_set], [""], feature_set.columns, reading), feature_set.counts["clips"]
        is_sharded = False
    else:
        count, is_sharded = len(feature_set), feature_set.is_sharded
        sets, rows = clips_of(feature_set)
        _check_booleans([sets.descriptions[number] for number in sets.numbers(rows)], reading.columns)
        if not reading.is_random and isinstance(rows, range) and rows == range(len(sets)):
            columns, normalized = feature_set.tensor_columns, feature_set.normalized_config
            dataset = _of_shards(sets.descriptions, sets.prefixes, columns, reading, normalized)
        else:
            dataset = _of_rows(feature_set, reading)
    options = tf.data.Options()
    policies = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policies.OFF if is_sharded else policies.DATA
    return dataset.apply(tf.data.experimental.assert_cardinality(count)).with_options(options)


def _of_shards(
    descriptions: Sequence[Description],
    prefixes: Sequence[str],
    columns: Columns,
    reading: Reading,
    normalized_config: Config | None = None,
) -> tf.data.Dataset:
    decoder = Decoder(
        descriptions,
        prefixes,
        columns,
        selected=reading.columns,
        feature=reading.feature,
        normalized_config=normalized_config,
    )
    shards = [shard for description in descriptions for shard in description.shards]
    mean = sum(shard["bytes"] for shard in shards) / max(sum(shard["records"] for shard in shards), 1)
    records = record_streams.of_shards(descriptions, decoder)
    return saved_with_elements(records).prefetch(record_streams.elements_ahead(mean))


def _of_rows(feature_set: FeatureSet, reading: Reading) -> tf.data.Dataset:
    sets, rows = clips_of(feature_set)
    if reading.mixture is not None:
        rows = reading.mixture.rows
    decoder = Decoder(
        sets.descriptions,
        sets.prefixes,
        feature_set.tensor_columns,
        selected=reading.columns,
        feature=reading.feature,
        crop_frames=reading.crop_frames,
        normalized_config=feature_set.normalized_config,
    )
    order = _order(reading, len(rows))
    clips = orders.epochs(order, reading.seed) if reading.is_random else orders.once(order)
    sizes = sets.sizes(rows) if reading.crop_frames is None else _size_of_crops(feature_set, reading.crop_frames)
    is_remote = any(files.is_remote(description.path) for description in sets.descriptions)
    together = record_streams.rows_per_block(sizes, is_remote=is_remote)
    blocks = RowBlocks(sets, rows, decoder.first_places, feature_set.normalized_config)
    dataset = record_streams.of_blocks(clips, together, blocks, decoder, reading.crop_frames)
    ahead = record_streams.elements_ahead(float(sizes.mean()) if len(sizes) else 0.0)
    return restorable(dataset.prefetch(ahead).take(order.count))


def _order(reading: Reading, count: int) -> orders.Order:
    """Returns the order in which clips are read, of which there are `count`."""
    if reading.mixture is not None and count:
        return orders.Drawn(reading.mixture.draws)
    return orders.Shuffled(count) if reading.shuffle else orders.InOrder(count)


def _size_of_crops(feature_set: FeatureSet, crop_frames: int) -> np.ndarray:
    """Returns the size of each crop in bytes. If the number of channels depends on the clip, it is that of one."""
    channels = feature_set.config.feature_channels or 1
    return np.array([crop_frames * feature_set.config.n_bins * channels * DTYPES[feature_set.dtype].itemsize])


def _check_booleans(descriptions: Sequence[Description], selected: Collection[str] | None) -> None:
    for having in descriptions:
        booleans = [name for name, kind in having.schema.items() if kind == "bool"]
        for name in [name for name in booleans if selected is None or name in selected]:
            for lacking in descriptions:
                if name not in lacking.schema:
                    raise FeatureSetError(
                        "A tensor has no missing boolean, so all feature sets must have a boolean column. Received: "
                        f"{name!r} in {having.path!r}, but not in {lacking.path!r}. Add it to the input of the latter "
                        "and run 'audiopipe precompute --update', take only clips that have it, "
                        f"FeatureSet([...]).where({name}=[True, False]), leave the column out (columns=[...]), or read "
                        "the sets with FeatureSet alone, where it is None."
                    )
