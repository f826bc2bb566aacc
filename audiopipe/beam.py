"""Door 3: Apache Beam jobs that precompute features.

One element of the pipeline is one shard of the output. Workers write shards and their sidecars to the output folder;
only small summaries travel through the pipeline.
"""

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from audiopipe import files, inputs, plan, registry, shards
from audiopipe.config import Config
from audiopipe.errors import ArgumentError, FeatureSetError, MissingDependencyError
from audiopipe.featureset import DATASET_FILE, FAILURES_FILE, FeatureSet
from audiopipe.segments import Segments

try:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.runners.runner import PipelineRunner, create_runner
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
    segments: Segments | None = None,
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
        segments: How recordings are cut into segments, which are then the clips of the feature set; None leaves them
            whole.
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
    runner = _runner(options)
    output = files.absolute(os.fspath(output))
    # All that can be wrong with the input is found before anything in the output folder is touched.
    work, sources = plan.make(output, config, inputs.scan(source), num_shards, segments)
    _prepare(output, config, overwrite)
    work.write(sources)
    with _reporting(work, progress):
        pipeline = beam.Pipeline(runner=runner, options=options)
        pipeline | "Precompute" >> Precompute(output)
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:  # runners wrap what a worker raised in errors of their own
            cause = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise FeatureSetError(
                f"The job stopped: {cause} The feature set in {output!r} is not complete. Mend the cause and run the "
                f"same command again."
            ) from error
    return shards.finish(work)


def _runner(options: PipelineOptions) -> PipelineRunner:
    name = options.view_as(StandardOptions).runner
    if name is None:
        return FnApiRunner()
    try:
        return create_runner(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ArgumentError(f"--runner must name a runner of Apache Beam. Received: {name!r} ({error}).") from error


def _pipeline_options(flags: list[str]) -> PipelineOptions:
    # Ours have dashes and Beam's have underscores; Beam would take a dash without complaint and ignore the option.
    received, flags = flags, [_with_underscores(flag) for flag in flags]
    log_level = "--default_sdk_harness_log_level"
    if not any(flag.startswith(log_level) for flag in flags):
        flags = [*flags, f"{log_level}=WARNING"]
    try:
        options = PipelineOptions(flags)
        options.get_all_options()
    except SystemExit:
        raise ArgumentError(
            f"Apache Beam does not take these options: {' '.join(received)}. Its message stands above."
        ) from None
    unknown = options.get_all_options(retain_unknown_options=True).keys() - PipelineOptions([]).get_all_options().keys()
    typed = [flag for flag in received if flag.lstrip("-").partition("=")[0].replace("-", "_") in unknown]
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
    if strange or (there and DATASET_FILE not in there and not plan.exists(output)):
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


def _with_underscores(flag: str) -> str:
    name, equals, value = flag.partition("=")
    return name[:2] + name[2:].replace("-", "_") + equals + value if name.startswith("--") else flag


def _is_ours(name: str) -> bool:
    """Whether a file is one that this job writes, or the temporary file of one (see `files.temporary_file`)."""
    final = re.sub(r"(^|/)\.([^/]+)\.[^./]+\.tmp$", r"\1\2", name)
    return final in (DATASET_FILE, FAILURES_FILE) or bool(plan.FILES.fullmatch(final))


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
