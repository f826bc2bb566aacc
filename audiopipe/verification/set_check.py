"""Verification of a feature set: of its files alone, or of its features as well."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace

from audiopipe import checks
from audiopipe.errors import ArgumentError, CorruptFeatureSetError, FeatureSetError
from audiopipe.feature_sets import parted_sets
from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.feature_set import FeatureSet, of_descriptions
from audiopipe.inputs import SeveralInputs
from audiopipe.verification import integrity
from audiopipe.verification.report import Report

DOORS = ("tfdata", "hf", "both")


def verify(
    output: str | os.PathLike[str],
    source: str | os.PathLike[str] | SeveralInputs | Iterable[str | os.PathLike[str]] | None = None,
    *,
    door: str = "both",
    sample: int | None = None,
    tolerance: float | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Report:
    """Checks that a feature set is whole, recomputes its features from the audio, and compares them.

    Without `source`, nothing is recomputed, and TensorFlow is not needed. In any case, every shard must have its
    checksum, and every record its own checksum, its place and a feature of the config. The index must agree with the
    records row by row, and the counts and the statistics with both. All other files that `dataset.json` names must have
    their checksums, and `clips.parquet`, `failures.jsonl` and `remarks.jsonl` must be copies of them.

    The comparison uses the values that `load` returns. If features are stored as float16 or bfloat16, the recomputed
    values are rounded to that dtype first. `max_error` in `dataset.json` gives the rounding error.

    Args:
        output: Folder of the feature set. If it is in parts, all of them are checked.
        source: Input that the feature set was computed from, as in `audiopipe.beam.precompute`. None means that only
            the files are checked.
        door: `"tfdata"` (clip by clip, and in padded batches), `"hf"`, or `"both"`. Clips longer than a minute are
            computed in blocks, as in the precompute job, and are not batched.
        sample: Number of clips to recompute, spread over the feature set. Every call chooses the same clips. None means
            all clips. All files are checked in any case.
        tolerance: Largest absolute difference that is accepted. None means that every bit must agree.
        progress: Called with the name of the current step, how many records or clips of it are done, and how many there
            are.

    Returns:
        A `Report`.

    Raises:
        ArgumentError: If an argument is out of range, or needs a `source`.
        IncompleteFeatureSetError: If there is no `dataset.json`.
        CorruptFeatureSetError: If a file is missing or damaged, files do not fit one another, or `dataset.json` was
            edited. The message names the files.
        ConfigMismatchError: If the features have another kernel version than that of this release, and are to be
            recomputed.
        InputError: If the input is missing, or has none of the feature set's clips.
        FeatureSetError: If the audio of a stored clip can no longer be read.

    Example:
        >>> verify("tests/data/v0.1/features").ok
        True
    """
    door = checks.choice("door", door, DOORS)
    sample = None if sample is None else checks.integer("sample", sample, minimum=1)
    tolerance = None if tolerance is None else checks.real("tolerance", tolerance, minimum=0)
    if source is None and (sample is not None or tolerance is not None):
        raise ArgumentError(
            f"sample and tolerance need a source, the input to recompute features from. Received: source=None, "
            f"sample={sample}, tolerance={tolerance}."
        )
    feature_set = _checked(output, progress)
    if source is None:
        return Report(feature_set=feature_set)
    from audiopipe.verification import input_comparison  # imports TensorFlow

    return input_comparison.compare(
        feature_set, source, door=door, sample=sample, tolerance=tolerance, progress=progress
    )


def _checked(output: str | os.PathLike[str], progress: Callable[[str, int, int], None]) -> Description | FeatureSet:
    """Opens a feature set and checks its files, those of each part if it is in parts.

    Raises:
        CorruptFeatureSetError: If something is missing, damaged, or does not fit the rest.
    """
    found = parted_sets.opened(output)
    done, total = 0, sum(description.counts["clips"] for description in found)
    progress("checking records", 0, total)
    for description in found:
        for n_records in integrity.check(description):
            done += n_records
            progress("checking records", done, total)
    if not found[0].whole:
        return found[0]
    try:
        of_descriptions([replace(description, whole="") for description in found])  # compares the ids of the parts
    except CorruptFeatureSetError:
        raise
    except FeatureSetError as error:
        raise CorruptFeatureSetError(f"The parts of {os.fspath(output)!r} do not fit one another: {error}") from error
    return of_descriptions(found)
