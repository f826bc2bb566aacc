"""Computed clips without audio, and pipelines that write them."""

import uuid
from pathlib import Path

import apache_beam
import numpy as np
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from audiopipe import beam
from audiopipe.feature_sets import row_digests
from audiopipe.precompute import element_digests, staged_bundles, staged_completion, staged_shards, staged_sorting
from audiopipe.precompute.staged_bundles import StagedBundle
from audiopipe.precompute.staging import Staging

ALL = object()  # frames hold audio


def clip(number, config, **fields):
    """Returns the element of a clip whose values depend on its number alone."""
    draw = np.random.default_rng(number)
    feature = draw.standard_normal(config.feature_shape(3 + number % 5, config.channels)).astype(np.float32)
    return element(f"clip-{number:03d}", feature, config, **fields)


def element(clip_id, feature, config, *, valid_frames=ALL, **fields):
    n_frames = feature.shape[config.frame_axis]
    digest = row_digests.digest(feature, config.fingerprint)
    counts = {"n_frames": n_frames} if valid_frames is ALL else {"n_frames": n_frames, "valid_frames": valid_frames}
    return {
        "id": clip_id,
        **fields,
        "feature": feature,
        **counts,
        "feature_digest": element_digests.digest(digest, n_frames, counts.get("valid_frames", n_frames)),
        "remarks": [],
    }


def write(elements, output, config, *, failures=None, bundles=1, **options):
    """Writes elements by the steps of a pipeline, without Beam, which takes a second."""
    run = Staging(output=str(output), config=config, run=uuid.uuid4().hex, **options)
    run.check_output()
    run.claim()
    names = [name for start in range(bundles) for name in staged(run, elements[start::bundles])]
    failed = None if failures is None else [staged_bundles.write_failures(run, failures)]
    return complete(run, names, failed)


def staged(run, elements):
    """Writes elements as one bundle. Returns the names of its files."""
    bundle = StagedBundle(run)
    try:
        names = [name for element in elements for name in bundle.add(element)]
        return [*names, *bundle.finish()]
    finally:
        bundle.discard()


def complete(run, names, failures=None):
    """Does what follows the bundles. Returns the folder of the feature set."""
    plan = staged_sorting.sort(run, names)
    for shard in reversed(plan.table):
        staged_shards.write(run, plan.name, shard.number)
    return staged_completion.complete(run, plan.name, [shard.id for shard in plan.table], failures).path


def write_by_pipeline(elements, output, config, *, failures=None, runner=None, shuffled=False, **options):
    """Writes elements with a pipeline, in bundles of one element if they are shuffled."""
    with apache_beam.Pipeline(runner=runner or FnApiRunner()) as pipeline:
        features = pipeline | apache_beam.Create(elements, reshuffle=False)
        if shuffled:
            features = features | apache_beam.Reshuffle()
        if failures is not None:
            features = features, pipeline | "Failures" >> apache_beam.Create(failures)
        _ = features | beam.WriteFeatureSet(output, config, **options)
    return output


def elements_of(build):
    """Returns the elements of the collection that a function builds from a pipeline."""
    _found.clear()
    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = build(pipeline) | "Keep" >> apache_beam.Map(_keep)
    return list(_found)


_found = []


def _keep(element):
    _found.append(element)  # the pickle of this function names it, so it is called in this process


def contents(folder):
    """Returns the content of every file of a feature set by its name. The lock of the folder is left out."""
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file() and path.name != "lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
