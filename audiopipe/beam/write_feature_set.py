"""`WriteFeatureSet`: computed clips of any pipeline as a feature set.

The steps, of which only names of files and numbers of shards travel through the pipeline:

1. `Claim` refuses an output that may not be written, and claims it.
2. `Stage` writes the records of each bundle to a file of its own. `StageFailures` does the same with failures.
3. `Sort` sorts the clips of all files that arrived by id, and divides them into shards.
4. `WriteShard` copies the records of one shard to their place, on any worker.
5. `Complete` publishes the feature set and removes the staged files.
"""

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.transforms import window

from audiopipe import checks, registry
from audiopipe.beam import input_collections, unsuitable_runners
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError
from audiopipe.precompute import element_keys, staged_bundles, staged_completion, staged_shards, staged_sorting
from audiopipe.precompute.staged_bundles import StagedBundle
from audiopipe.precompute.staging import Staging
from audiopipe.storage import files


class WriteFeatureSet(beam.PTransform):
    """Writes computed clips as a complete feature set, which `audiopipe.load` and `FeatureSet` read.

    The clips are sorted by id. Equal clips give equal bytes on every runner and in any order.

    **Metadata.** All fields of an element become metadata, except `id`, the feature, its digest and the numbers of
    frames. The pipeline finds one type for all values of a field, like `audiopipe precompute`. If an element lacks a
    field, its clip has a missing value.

    **Memory and space.** Memory does not depend on the number of clips, because features never go through a
    `GroupByKey`. Each bundle writes its records to a file in the output, and later steps copy them into the shards. The
    output needs space for the features twice while the pipeline runs.

    **Failed pipelines.** `dataset.json` is written last, so a failed pipeline leaves no feature set, and does not
    replace an old one. Its files stay in the folder `plan` of the output. To run the pipeline again, pass
    `overwrite=True`, or remove the folder. Repeated bundles leave no second copies.

    **Differences from a job.** The hours of audio in the counts are computed from the frames, so they are a lower
    bound. The index does not record the audio of a clip, so the set cannot be updated.

    Args:
        output: Folder of the feature set, local or remote. It must be new or empty.
        config: Config of the features: a config, a registered name, or the path of a JSON file.
        num_shards: Number of shards, at most one per clip. None makes each shard a 64th of the output, but at least
            1 MB and at most 128 MB.
        feature: Key of the feature in each element.
        dtype: Dtype in which features are stored: `"float32"`, `"float16"` or `"bfloat16"`.
        class_columns: Text fields that are stored as integers, with their values as class names in sorted order.
        overwrite: Whether to replace a feature set in the output, or the files of a failed pipeline.

    Input:
        The result of `ComputeFeatures`, or a bounded `PCollection` of dicts like its features, or a pair of
        collections, `(features, failures) | WriteFeatureSet(...)`. Failures become `failures.jsonl`.

    Output:
        A `PCollection` of one text, the path of the feature set, once it is complete.

    Raises:
        ArgumentError: If an argument or the input is wrong, a collection is unbounded, or the runner is DaskRunner.
        FeatureSetError: If the output is not empty, and `overwrite` is False.

    The pipeline fails with one of these errors:

    - `InputError`: If an element is not a computed clip, two clips have the same id, or a field has values of different
      types.
    - `FingerprintError`: If a feature or its number of valid frames was changed, or another config computed it.
    - `FeatureSetError`: If there is no clip, or the output is not empty.
    - `FeatureSetLockedError`: If another job or pipeline writes to the output.
    - `OutputError`: If a file cannot be written.

    Example:
        >>> import tempfile
        >>> import apache_beam
        >>> from audiopipe import FeatureSet, beam
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with apache_beam.Pipeline(runner="FnApiRunner") as pipeline:
        ...         clips = pipeline | beam.ReadFeatureSet("tests/data/v0.1/features")
        ...         clean = clips | apache_beam.Filter(lambda clip: clip["clean"])
        ...         _ = clean | beam.WriteFeatureSet(folder, FeatureSet("tests/data/v0.1/features").config)
        ...     FeatureSet(folder).ids
        ['mono', 'resampled']
    """

    def __init__(
        self,
        output: str | os.PathLike[str],
        config: "Config | str | os.PathLike[str]",
        num_shards: int | None = None,
        *,
        feature: str = "feature",
        dtype: str = "float32",
        class_columns: Sequence[str] = (),
        overwrite: bool = False,
    ):
        super().__init__()
        if not isinstance(output, (str, os.PathLike)) or not os.fspath(output):
            raise checks.fail("output", "the path of a folder", output)
        if isinstance(class_columns, str) or not all(isinstance(name, str) for name in class_columns):
            raise checks.fail("class_columns", "a list of names", class_columns)
        element_keys.check_feature(feature)
        self._staging = Staging(
            output=files.absolute(os.fspath(output)),
            config=registry.resolve(config),
            run=uuid.uuid4().hex,
            feature=feature,
            dtype=dtype,
            num_shards=None if num_shards is None else checks.integer("num_shards", num_shards, minimum=1),
            class_columns=tuple(class_columns),
            overwrite=checks.boolean("overwrite", overwrite),
        )

    def expand(self, pcolls):
        """Builds the steps."""
        features, failures = _collections(pcolls)
        run, pipeline = self._staging, features.pipeline
        unsuitable_runners.check(pipeline)
        input_collections.check_bounded(features, "WriteFeatureSet")
        run.check_output()
        claimed = beam.pvalue.AsSingleton(
            pipeline | "Start" >> beam.Create([None]) | "Claim" >> beam.ParDo(_Claim(run)).with_output_types(str)
        )
        staged = (
            features
            | "OfAllTime" >> beam.WindowInto(window.GlobalWindows())
            | "Stage" >> beam.ParDo(_Stage(run), claimed).with_output_types(str)
        )
        failed = []
        if failures is not None:
            input_collections.check_bounded(failures, "WriteFeatureSet")
            failed = [
                beam.pvalue.AsIter(
                    failures
                    | "FailuresOfAllTime" >> beam.WindowInto(window.GlobalWindows())
                    | "StageFailures" >> beam.ParDo(_StageFailures(run), claimed).with_output_types(str)
                )
            ]
        written = (
            pipeline
            | "StartSorting" >> beam.Create([None])
            | "Sort" >> beam.ParDo(_Sort(run), beam.pvalue.AsIter(staged)).with_output_types(tuple[str, int])
            | "Distribute" >> beam.Reshuffle()
            | "WriteShard" >> beam.ParDo(_WriteShard(run)).with_output_types(tuple[str, int, str])
        )
        return (
            pipeline
            | "StartCompletion" >> beam.Create([None])
            | "Complete" >> beam.ParDo(_Complete(run), beam.pvalue.AsIter(written), *failed).with_output_types(str)
        )


def _collections(pcolls: Any) -> tuple[beam.PCollection, beam.PCollection | None]:
    """Returns the collections of features and of failures in an input."""
    items = tuple(pcolls) if isinstance(pcolls, (tuple, list)) else (pcolls, None)
    is_pair = len(items) == 2 and all(isinstance(item, beam.PCollection) for item in items if item is not None)
    if not is_pair or items[0] is None:
        raise ArgumentError(
            "WriteFeatureSet takes a PCollection of computed clips, or a pair of it and a PCollection of failures, as "
            f"ComputeFeatures returns. Received: {pcolls!r:.200}."
        )
    return items


class _Claim(beam.DoFn):
    def __init__(self, run: Staging):
        super().__init__()
        self._run = run

    def process(self, _: None) -> Iterator[str]:
        self._run.claim()
        yield self._run.run


class _Stage(beam.DoFn):
    def __init__(self, run: Staging):
        super().__init__()
        self._run = run
        self._bundle: StagedBundle | None = None

    def start_bundle(self) -> None:
        self.teardown()  # an earlier bundle may have failed
        self._bundle = StagedBundle(self._run)

    def process(self, element: Any, _: str) -> Iterator[str]:
        assert self._bundle is not None
        yield from self._bundle.add(element)
        beam.metrics.Metrics.counter("audiopipe", "clips_staged").inc()

    def finish_bundle(self) -> Iterator[Any]:
        assert self._bundle is not None
        yield from map(window.GlobalWindows.windowed_value, self._bundle.finish())

    def teardown(self) -> None:
        if self._bundle is not None:
            self._bundle.discard()
            self._bundle = None


class _StageFailures(beam.DoFn):
    def __init__(self, run: Staging):
        super().__init__()
        self._run = run
        self._failures: list[Any] = []

    def start_bundle(self) -> None:
        self._failures = []

    def process(self, failure: Any, _: str) -> None:
        self._failures.append(failure)

    def finish_bundle(self) -> Iterator[Any]:
        if self._failures:
            yield window.GlobalWindows.windowed_value(staged_bundles.write_failures(self._run, self._failures))


class _Sort(beam.DoFn):
    def __init__(self, run: Staging):
        super().__init__()
        self._run = run

    def process(self, _: None, names: Iterable[str]) -> Iterator[tuple[str, int]]:
        plan = staged_sorting.sort(self._run, names)
        for shard in plan.table:
            yield plan.name, shard.number


class _WriteShard(beam.DoFn):
    def __init__(self, run: Staging):
        super().__init__()
        self._run = run

    def process(self, shard: tuple[str, int]) -> Iterator[tuple[str, int, str]]:
        name, number = shard
        yield name, number, staged_shards.write(self._run, name, number).id


class _Complete(beam.DoFn):
    def __init__(self, run: Staging):
        super().__init__()
        self._run = run

    def process(
        self, _: None, written: Iterable[tuple[str, int, str]], failures: Iterable[str] | None = None
    ) -> Iterator[str]:
        shards = sorted(set(written), key=lambda shard: shard[1])
        yield staged_completion.complete(self._run, shards[0][0], [shard[2] for shard in shards], failures).path
