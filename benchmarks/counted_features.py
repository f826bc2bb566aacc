"""Pipeline of `beam.ComputeFeatures` that notes when each feature comes, for `benchmarks.building_blocks`.

    python -m benchmarks.counted_features MANIFEST OUTPUT [options of Apache Beam]

It is a module of its own, because worker processes import it.
"""

import csv
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from audiopipe import Transform
from audiopipe.beam import ComputeFeatures
from benchmarks import loops

EDGE = 0.1  # fraction of the clips at the start and at the end that the steady speed ignores

Mark = tuple[int, float, float]
"""Number of clips so far, the time, and the processor time of the process so far."""


class _Note(beam.DoFn):
    """Writes the times at which the features of a bundle come to a file."""

    def __init__(self, output: str):
        super().__init__()
        self._output = output

    def start_bundle(self):
        self._times: list[tuple[float, float]] = []

    def process(self, element):
        assert element["n_frames"] > 0
        self._times.append((time.time(), time.process_time()))

    def finish_bundle(self):
        Path(self._output, f"{os.getpid()}-{uuid.uuid4().hex}.json").write_text(json.dumps(self._times))


def rows(manifest: Path) -> Iterator[dict[str, str]]:
    """Yields an element for each line of a manifest."""
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file):
            yield {"id": row["id"], "audio": row["path"]}


def run(manifest: Path, output: str, *flags: str) -> list[Mark]:
    """Runs the pipeline, and returns a mark for each clip.

    Args:
        manifest: The clips.
        output: Empty folder for the times.
        flags: Options of Apache Beam.
    """
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(flags))) as pipeline:
        computed = pipeline | beam.Create(list(rows(manifest))) | ComputeFeatures(Transform(loops.config()))
        computed.features | beam.ParDo(_Note(output))
    return marks_of(output)


def marks_of(output: str) -> list[Mark]:
    """Returns the marks that a pipeline has written, in the order of their times."""
    times = [time for file in Path(output).glob("*.json") for time in json.loads(file.read_text())]
    return [(number, *both) for number, both in enumerate(sorted(times), 1)]


def steady(marks: list[Mark]) -> tuple[float, float]:
    """Returns the seconds per clip and the seconds of processor time per clip, without the start and the end.

    Example:
        >>> steady([(1, 10.0, 5.0), (2, 10.5, 5.25), (3, 11.0, 5.5)])
        (0.5, 0.25)
    """
    skipped = int(EDGE * len(marks))
    first, last = marks[skipped], marks[len(marks) - 1 - skipped]
    count = last[0] - first[0]
    return (last[1] - first[1]) / count, (last[2] - first[2]) / count


if __name__ == "__main__":
    run(Path(sys.argv[1]), *sys.argv[2:])
