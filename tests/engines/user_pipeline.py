"""A pipeline of a user's own on any engine: it computes clips, drops short ones, and writes a feature set.

`python tests/engines/user_pipeline.py SOURCE OUTPUT CONFIG_FILE MIN_FRAMES [options of Apache Beam]`
"""

import sys
from pathlib import Path

import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions

from audiopipe import Transform, beam, configs
from audiopipe.precompute import loopback_workers


def write(source: Path, output: Path, config_file: Path, min_frames: int, flags: list[str]) -> None:
    """Runs the pipeline."""
    config = configs.from_json(config_file.read_text())
    paths = sorted(str(path) for path in source.iterdir())
    # Both task managers of the cluster have their workers in this process.
    with loopback_workers.shared(), apache_beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
        computed = pipeline | apache_beam.Create(paths) | beam.ComputeFeatures(Transform(config), on_error="collect")
        long = computed.features | apache_beam.Filter(lambda clip: clip["n_frames"] >= min_frames)
        _ = (long, computed.failures) | beam.WriteFeatureSet(output, config)


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:4]), int(sys.argv[4]), sys.argv[5:])
