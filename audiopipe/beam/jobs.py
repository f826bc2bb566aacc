"""Jobs that precompute features: `precompute` and `estimate`.

`precompute` plans the job, writes the shards on this machine or by a runner of Apache Beam, and completes the feature
set. Only the runners need the package apache-beam.
"""

import os
from collections.abc import Iterable, Sequence

from audiopipe import checks, registry
from audiopipe.beam import beam_modules
from audiopipe.configs.base import Config
from audiopipe.feature_sets import retention
from audiopipe.feature_sets.feature_set import FeatureSet
from audiopipe.inputs import InputOptions, SeveralInputs
from audiopipe.precompute.engines import Engines, LocalEngines
from audiopipe.precompute.job import Job
from audiopipe.precompute.parted_job import PartedJob
from audiopipe.precompute.parted_output import PartedOutput
from audiopipe.precompute.plan import Plan
from audiopipe.precompute.progress import Reporter, Silent
from audiopipe.precompute.settings import Settings
from audiopipe.storage import files
from audiopipe.transform.segments import Segments

KEEP_OLD_DAYS = retention.KEEP_OLD_SECONDS / 86400

__all__ = ["estimate", "precompute"]


def precompute(
    source: str | os.PathLike[str] | SeveralInputs | Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    config: "Config | str | os.PathLike[str]",
    *,
    parts: int | None = None,
    num_shards: int | None = None,
    segments: Segments | None = None,
    dtype: str = "float32",
    accept_truncated: bool = False,
    path_column: str | None = None,
    id_column: str | None = None,
    class_columns: Sequence[str] = (),
    label_from_folder: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    retry_failures: bool = False,
    update: bool = False,
    keep_old: float = KEEP_OLD_DAYS,
    max_failure_ratio: float = 0.05,
    stall_timeout: float = 1800.0,
    beam_options: list[str] | None = None,
    reporter: Reporter | None = None,
) -> FeatureSet:
    """Computes the features of many clips and writes them as a feature set.

    If the job is interrupted, the same call resumes it. The result has the same bytes as that of an uninterrupted job.

    A clip that fails becomes a line in `failures.jsonl` and does not stop the job. A fault that does not prevent
    reading, such as a missing end, becomes a line in `remarks.jsonl`. So does a clip or recording whose end is left out
    or padded, by its feature or by `segments`.

    Args:
        source: A folder, a glob, a manifest, a Parquet file, a saved dataset or a list of paths, as in
            `audiopipe.inputs.scan`.
        output: Folder to write to. It must be new or empty, or contain a feature set of this input and config. An
            incomplete feature set is resumed. A complete one stays readable until the new one is complete and replaces
            it.
        config: A config, a registered name, or the path of a JSON file.
        parts: Number of parts, at most 500, for sets of more than 30 million clips or 10 TB. Take one part for every 10
            million clips or 3 TB. Each part is a feature set in its own folder below `output`. `FeatureSet(output)` and
            `load(output)` open all parts as one set. The number cannot change later, except with `overwrite`. None
            means the number that `output` has, and no parts in a new folder.
        num_shards: Number of shards, of each part if there are parts, at most one per recording. None makes each shard
            a 64th of the output, but at least 1 MB and at most 128 MB.
        segments: How to cut recordings into segments, which become the clips of the feature set. None does not cut
            recordings.
        dtype: Dtype in which features are stored: `"float32"`, `"float16"` or `"bfloat16"`. `load` always returns
            float32, but only features stored in float32 keep every bit.
        accept_truncated: Whether to read a damaged or truncated recording up to the fault, with a remark, instead of
            counting it as a failure. Recordings that lack less than 1 % and less than 1 s are always read, with a
            remark.
        path_column: Column of a manifest or table that contains the path of the audio. None finds it by its name.
        id_column: Column of a manifest or table that contains the ids of the clips. None uses the column `id`, if there
            is one.
        class_columns: Text columns that are stored as integers, with their values as class names in sorted order.
        label_from_folder: Whether clips get a column `label` with the name of the folder that they are in.
        workers: Number of processes on this machine, with one TensorFlow thread each. With 1, this process computes,
            with all processors. None uses one process for every hour of audio, up to the number of processors. If this
            process has already loaded TensorFlow, None uses only this process for less than 8 hours of audio.
        overwrite: Whether to replace an existing feature set.
        retry_failures: Whether to try only the failed clips again, after you have repaired them.
        update: Whether to bring an existing feature set up to date with its input. The job computes new and changed
            clips, tries failed ones again, leaves out those that are gone, and corrects metadata. It keeps all other
            features and does not read their audio. New classes are appended to the old ones. `overwrite` takes
            precedence.
        keep_old: For how many days the job keeps the files of a replaced feature set, because others may still read
            them. A later call removes them.
        max_failure_ratio: The job ends if a larger ratio of the clips fails. The ratio is checked after 100 clips.
            Clips that a retry or an update keeps count too.
        stall_timeout: The job ends if no shard was finished for this many seconds.
        beam_options: Command-line flags of Apache Beam, such as `--runner` and its options, instead of `workers`.
        reporter: Shows the progress of the job, see `audiopipe.precompute.progress`. None shows nothing.

    Returns:
        The complete feature set.

    Raises:
        InputError: If the input is missing, empty or malformed.
        InputChangedError: If the feature set in `output` was started with another input or other settings.
        ConfigMismatchError: If the feature set in `output` has another config.
        FeatureSetLockedError: If another job is writing to `output`.
        TooManyFailuresError: If more clips fail than `max_failure_ratio` allows.
        StalledError: If no shard is finished for `stall_timeout` seconds.
        FeatureSetError: If the output folder cannot be used, no clip could be computed, or the job stopped.
        ArgumentError: If an option is unknown.
        MissingDependencyError: If `beam_options` are given, and a package that they need is not installed.
    """
    job = Job(
        source=source,
        settings=_settings(
            output,
            config,
            num_shards=num_shards,
            segments=segments,
            dtype=dtype,
            options=InputOptions(path_column, id_column, class_columns, label_from_folder),
            accept_truncated=accept_truncated,
        ),
        overwrite=checks.boolean("overwrite", overwrite),
        retry_failures=checks.boolean("retry_failures", retry_failures),
        update=checks.boolean("update", update),
        keep_old_seconds=86400 * checks.real("keep_old", keep_old, minimum=0),
        max_failure_ratio=checks.real("max_failure_ratio", max_failure_ratio, minimum=0),
        stall_timeout=checks.real("stall_timeout", stall_timeout, above=0),
        reporter=reporter or Silent(),
    )
    found = PartedOutput.look(job.settings.output, parts, overwrite=job.overwrite)
    work = job if found is None else PartedJob(job=job, n_parts=parts)
    return FeatureSet.open(work.run(_engines(workers, beam_options or [])).path)


def estimate(
    source: str | os.PathLike[str] | SeveralInputs | Iterable[str | os.PathLike[str]],
    config: "Config | str | os.PathLike[str]",
    *,
    output: str | os.PathLike[str] | None = None,
    parts: int | None = None,
    num_shards: int | None = None,
    segments: Segments | None = None,
    dtype: str = "float32",
    accept_truncated: bool = False,
    path_column: str | None = None,
    id_column: str | None = None,
    class_columns: Sequence[str] = (),
    label_from_folder: bool = False,
    update: bool = False,
) -> Plan:
    """Plans what `precompute` would do, without writing anything.

    Args:
        source: As in `precompute`.
        output: As in `precompute`. None means a new folder.
        config: As in `precompute`.
        parts: As in `precompute`.
        num_shards: As in `precompute`.
        segments: As in `precompute`.
        dtype: As in `precompute`.
        accept_truncated: As in `precompute`.
        path_column: As in `precompute`.
        id_column: As in `precompute`.
        class_columns: As in `precompute`.
        label_from_folder: As in `precompute`.
        update: As in `precompute`. The plan's `changes` then say what happens to the clips of the feature set.

    Returns:
        The plan, with the number of clips, seconds of audio, bytes and shards. Lengths come from metadata columns
        (`duration`, or `num_samples` with `sample_rate`). If any are missing, they are estimated from the headers of at
        most 1,000 files, and `exact` is False.

    Raises:
        InputError: If the input is missing, empty or malformed.

    Example:
        >>> plan = estimate("examples/audio", "speech-mel-80")
        >>> plan.n_clips, plan.n_shards
        (7, 1)
    """
    job = Job(
        source=source,
        settings=_settings(
            output,
            config,
            num_shards=num_shards,
            segments=segments,
            dtype=dtype,
            options=InputOptions(path_column, id_column, class_columns, label_from_folder),
            accept_truncated=accept_truncated,
        ),
        update=checks.boolean("update", update),
    )
    found = PartedOutput.look(job.settings.output, parts)
    return job.estimate() if found is None else PartedJob(job=job, n_parts=parts).estimate()


def _engines(workers: int | None, flags: list[str]) -> Engines:
    if not flags:
        return LocalEngines(workers)
    return beam_modules.imported("audiopipe.precompute.runners").BeamEngines(flags, workers)


def _settings(
    output: str | os.PathLike[str] | None,
    config: "Config | str | os.PathLike[str]",
    *,
    num_shards: int | None,
    segments: Segments | None,
    dtype: str,
    options: InputOptions,
    accept_truncated: bool,
) -> Settings:
    return Settings(
        output="" if output is None else files.absolute(os.fspath(output)),
        config=registry.resolve(config),
        num_shards=None if num_shards is None else checks.integer("num_shards", num_shards, minimum=1),
        segments=segments,
        dtype=dtype,
        options=options,
        accept_truncated=checks.boolean("accept_truncated", accept_truncated),
    )
