"""Door 3: Apache Beam jobs that precompute features.

One element of the pipeline is one shard of the output. Workers write shards and their sidecars to the output folder;
only small summaries travel through the pipeline.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from audiopipe import files, inputs, plan, registry, shards
from audiopipe.config import Config
from audiopipe.errors import ArgumentError, FeatureSetError, MissingDependencyError
from audiopipe.featureset import DATASET_FILE, FAILURES_FILE, FeatureSet

try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
except ImportError as error:
    raise MissingDependencyError(
        'audiopipe.beam needs the package apache-beam, which is not installed: pip install "audiopipe[beam]".'
    ) from error

PROGRESS_INTERVAL_SECONDS = 0.5

Progress = Callable[[int, int], None]
"""Called with the number of clips that are done, and of all clips."""


class ReadPlan(beam.PTransform):
    """The shards of a plan: elements `(output, shard)`.

    Args:
        output: Folder of the feature set, which holds the plan.
    """

    def __init__(self, output: str):
        super().__init__()
        self.output = output

    def expand(self, pbegin):
        """Create the elements."""
        n_shards = plan.read(self.output).n_shards
        return pbegin | "CreateShards" >> beam.Create([(self.output, shard) for shard in range(n_shards)])


class WriteFeatureShards(beam.PTransform):
    """Compute and write shards: from `(output, shard)` to the shard's sidecar, a dict."""

    def expand(self, pcoll):
        """Apply the function that does it, a shard a call."""
        return pcoll | "WriteShard" >> beam.ParDo(_WriteShard())


class Precompute(beam.PTransform):
    """Write all shards of a plan. `audiopipe.shards.finish` then makes the feature set complete.

    Args:
        output: Folder of the feature set, which holds the plan.
    """

    def __init__(self, output: str):
        super().__init__()
        self.output = output

    def expand(self, pbegin):
        """Read the plan, write the shards."""
        return pbegin | ReadPlan(self.output) | WriteFeatureShards()


class _WriteShard(beam.DoFn):
    def process(self, element: tuple[str, int]) -> Iterator[dict[str, Any]]:
        output, shard = element
        sidecar = shards.write_shard(plan.read(output), shard)
        beam.metrics.Metrics.counter("audiopipe", "clips").inc(sidecar["records"])
        beam.metrics.Metrics.counter("audiopipe", "failures").inc(len(sidecar["failures"]))
        yield {key: value for key, value in sidecar.items() if key != "failures"}


def precompute(
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    config: "Config | str | os.PathLike[str]",
    *,
    num_shards: int | None = None,
    overwrite: bool = False,
    beam_options: list[str] | None = None,
    progress: Progress | None = None,
) -> FeatureSet:
    """Compute the features of many clips and write them as a feature set.

    A clip that fails becomes a line of `failures.jsonl` and stops nothing.

    Args:
        source: A folder, a glob, a CSV or JSONL manifest, a Parquet file or a saved dataset, as in
            `audiopipe.inputs.scan`.
        output: Folder to write to. It must be new or empty, or hold an unfinished feature set, which is begun anew.
        config: A config, a registered name, or the path of a JSON file.
        num_shards: Number of shards. None means one for each 256 clips.
        overwrite: Whether to remove a feature set that is there.
        beam_options: Options of Apache Beam, as on a command line. Without `--runner` the pipeline runs in this
            process.
        progress: Called now and then with the number of clips that are done and of all clips.

    Returns:
        The finished feature set.

    Raises:
        InputError: If the input is missing, empty or malformed.
        FeatureSetError: If the output folder cannot be used, or no clip could be computed.
        ArgumentError: If an option is unknown.
    """
    config = registry.resolve(config)
    if num_shards is not None and num_shards < 1:
        raise ArgumentError(f"num_shards must be at least 1. Received: num_shards={num_shards}.")
    options = _pipeline_options(beam_options or [])
    output = os.fspath(output)
    output = output if files.is_remote(output) else os.path.abspath(output)
    sources = list(inputs.scan(source))
    _prepare(output, config, overwrite)
    work = plan.write(output, config, sources, num_shards)
    runner = None if options.view_as(StandardOptions).runner else FnApiRunner()
    with _reporting(work, progress):
        pipeline = beam.Pipeline(runner=runner, options=options)
        pipeline | "Precompute" >> Precompute(output)
        pipeline.run().wait_until_finish()
    return shards.finish(work)


def _pipeline_options(flags: list[str]) -> PipelineOptions:
    options = PipelineOptions(flags)
    unknown = options.get_all_options(retain_unknown_options=True).keys() - PipelineOptions([]).get_all_options().keys()
    typed = [flag for flag in flags if flag.lstrip("-").partition("=")[0].replace("-", "_") in unknown]
    # A word that no option before it can take as its value: Beam only logs these.
    stray = [
        flag
        for before, flag in zip(["", *flags], flags, strict=False)
        if not flag.startswith("-") and not (before.startswith("-") and "=" not in before)
    ]
    if unknown or stray:
        raise ArgumentError(
            f"Neither audiopipe nor Apache Beam has the option {', '.join(typed or stray or sorted(unknown))}. "
            "See 'audiopipe precompute --help' and Beam's documentation of pipeline options."
        )
    return options


def _prepare(output: str, config: Config, overwrite: bool) -> None:
    """Make the output folder ready, or raise an error and leave it as it is."""
    if files.exists(output) and not files.is_folder(output):
        raise FeatureSetError(f"OUTPUT must be a folder. Received: the file {output!r}. Choose another path.")
    there = list(files.walk(output)) if files.exists(output) else []
    ours = [name for name in there if _is_ours(name)]
    if DATASET_FILE in there and not overwrite:
        present = FeatureSet.open(output)
        present.expect(config)
        raise FeatureSetError(
            f"{output!r} holds a complete feature set of this config, with {present.counts['clips']} clips. Read it "
            "with audiopipe.load, choose another folder, or pass --overwrite to compute it again."
        )
    strange = sorted(set(there) - set(ours))
    if strange or (there and not overwrite and not plan.exists(output)):
        raise FeatureSetError(
            f"OUTPUT must be a new or empty folder, or hold a feature set. {output!r} holds {(strange or there)[0]!r} "
            f"and {len(there) - 1} more files. Choose another folder."
        )
    try:
        files.make_folder(output)
    except OSError as error:
        raise FeatureSetError(f"Could not make the folder {output!r}: {error.strerror or error}.") from error
    # dataset.json goes first: from then on nothing takes what is left for a feature set.
    for name in [DATASET_FILE, *ours]:
        files.remove(files.join(output, name))


def _is_ours(name: str) -> bool:
    base = name.rpartition("/")[2].removeprefix(".")
    if name.startswith(f"{plan.FOLDER}/"):
        return True
    return "/" not in name and (base.startswith(("features-", DATASET_FILE, FAILURES_FILE)))


@contextlib.contextmanager
def _reporting(work: plan.Plan, progress: Progress | None) -> Iterator[None]:
    """Count finished shards while the runner blocks."""
    if progress is None:
        yield
        return
    stop = threading.Event()

    def report() -> None:
        progress(sum(len(work.clips_of(shard)) for shard in work.finished_numbers()), work.n_clips)

    def watch() -> None:
        while not stop.wait(PROGRESS_INTERVAL_SECONDS):
            report()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        report()
