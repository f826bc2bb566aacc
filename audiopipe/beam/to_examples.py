"""`ToExamples`: computed clips as serialized examples of TensorFlow."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam

from audiopipe import checks, registry
from audiopipe.beam import input_collections, unsuitable_runners
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, InputError
from audiopipe.feature_sets import dtypes, records
from audiopipe.inputs import column_inference
from audiopipe.inputs.columns import Columns, is_list
from audiopipe.precompute import element_keys
from audiopipe.precompute.computed_clips import ComputedClip, ComputedClips
from audiopipe.precompute.staged_bundles import UNPLACED


class ToExamples(beam.PTransform):
    """Encodes computed clips as serialized `tf.train.Example` messages, with the entries of records of feature sets.

    `beam.io.WriteToTFRecord` writes the messages to files. TensorFlow is not needed. For files that `FeatureSet` and
    `audiopipe.load` read, use `WriteFeatureSet` instead.

    `docs/concepts/feature-sets.md` describes the entries. `shard_id` and `record`, the place in a feature set, are
    zeros.

    Args:
        config: Config of the features: a config, a registered name, or the path of a JSON file.
        types: Type of each metadata column, such as `FeatureSet.schema`: one of `audiopipe.inputs.metadata_types.TYPES`
            by name. Each example then has entries of these types, and other fields are left out. None uses the types of
            each element's own values. A field with both integers and fractions, or with missing lists, then has entries
            of different types.
        classes: Names of the classes of each class column, such as `FeatureSet.classes`. The elements have names in
            this column, and the examples have their positions. The type of the column must be `"int"` or `"list<int>"`.
        feature: Key of the feature in each element.
        dtype: Dtype in which features are stored: `"float32"`, `"float16"` or `"bfloat16"`.

    Input:
        A `PCollection` of dicts as `ComputeFeatures` makes them, bounded or not.

    Output:
        A `PCollection` of bytes.

    Raises:
        ArgumentError: If an argument is wrong, or the runner is DaskRunner.

    The pipeline fails with one of these errors:

    - `InputError`: If an element is not a computed clip, or its metadata does not have the types.
    - `FingerprintError`: If a feature or its number of valid frames was changed, or another config computed it.

    Example:
        >>> import apache_beam
        >>> import tensorflow as tf
        >>> from audiopipe import FeatureSet, beam
        >>> sets = FeatureSet("tests/data/v0.1/features")
        >>> def show(example):
        ...     entries = tf.train.Example.FromString(example).features.feature
        ...     print(entries["id"].bytes_list.value, entries["shape"].int64_list.value)
        >>> with apache_beam.Pipeline(runner="FnApiRunner") as pipeline:
        ...     clips = pipeline | beam.ReadFeatureSet(sets.where(clean=True))
        ...     _ = clips | beam.ToExamples(sets.config, types=sets.schema) | apache_beam.Map(show)
        [b'mono'] [38, 20, 1]
        [b'resampled'] [28, 20, 1]
    """

    def __init__(
        self,
        config: "Config | str | os.PathLike[str]",
        types: Mapping[str, str] | None = None,
        *,
        classes: Mapping[str, Sequence[str]] | None = None,
        feature: str = "feature",
        dtype: str = "float32",
    ):
        super().__init__()
        dtypes.check(dtype)
        for name, value in (("types", types), ("classes", classes)):
            if value is not None and not isinstance(value, Mapping):
                raise checks.fail(name, "a dict by column name", value)
        if classes and types is None:
            raise ArgumentError(
                f"classes must come with the types of all columns. Received: classes={dict(classes)!r:.200} without "
                "types. Pass both, such as FeatureSet.schema and FeatureSet.classes."
            )
        element_keys.check_feature(feature)
        element_keys.check_metadata(types or {}, feature, "types")
        columns = None if types is None else _columns(types, classes or {})
        self._encode = _Encode(registry.resolve(config), columns, feature, dtype)

    def expand(self, pcoll):
        """Encodes each element."""
        input_collections.check(pcoll, "ToExamples")
        unsuitable_runners.check(pcoll.pipeline)
        return pcoll | "Encode" >> beam.ParDo(self._encode).with_output_types(bytes)


def _columns(types: Mapping[str, str], classes: Mapping[str, Sequence[str]]) -> Columns:
    return Columns(
        types=dict(types),
        classes={name: list(names) for name, names in classes.items()},
        # Examples have no entry for a missing integer, so any value may stand for it.
        fill_values={name: -1 for name, kind in types.items() if kind == "int"},
    )


class _Encode(beam.DoFn):
    def __init__(self, config: Config, columns: Columns | None, feature: str, dtype: str):
        super().__init__()
        self._config = config
        self._columns = columns
        self._clips = ComputedClips(config, feature)
        self._dtype = dtype

    def process(self, element: Any):
        clip = self._clips.read(element)
        columns = column_inference.infer([clip.metadata]) if self._columns is None else _checked(clip, self._columns)
        valid = records.UNKNOWN if clip.valid_frames is None else clip.valid_frames
        example, _ = records.encode(
            clip.id, clip.feature, self._config, clip.metadata, columns, UNPLACED, self._dtype, valid_frames=valid
        )
        yield example


def _checked(clip: ComputedClip, columns: Columns) -> Columns:
    """Returns the columns, after comparing the metadata of a clip with them."""
    metadata = {name: clip.metadata.get(name) for name in columns.types}
    found = column_inference.infer([metadata]).types
    for name, kind in columns.types.items():
        value = metadata[name]
        if name in columns.classes:
            _check_class(clip, name, columns)
            continue
        allowed = {kind} | ({kind.replace("float", "int")})
        if value not in (None, []) and found[name] not in allowed:
            raise InputError(
                f"The element {clip.id!r}: its field {name!r} must have the type {kind}. Received: {value!r:.100}. Fix "
                "the value, or pass another type."
            )
    return columns


def _check_class(clip: ComputedClip, name: str, columns: Columns) -> None:
    """Raises an error unless a clip has a class, or a list of classes where the column has lists, or None."""
    value, kind, names = clip.metadata.get(name), columns.types[name], columns.classes[name]
    items = value if isinstance(value, list) else [value]
    if value is None or (isinstance(value, list) == is_list(kind) and all(item in names for item in items)):
        return
    expected = "have a list of classes" if is_list(kind) else "have one of the classes"
    raise InputError(
        f"The element {clip.id!r}: its field {name!r} must {expected}: {', '.join(names):.200}. Received: "
        f"{value!r:.100}. Fix the value, or pass other classes."
    )
