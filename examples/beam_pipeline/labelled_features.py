"""Computes the features of labelled recordings in a Beam pipeline of one's own, and writes them as a feature set.

    python examples/beam_pipeline/labelled_features.py FOLDER

The pipeline joins the recordings in examples/audio with the table labels.csv, computes their features, leaves out short
clips, and writes a feature set and its statistics to FOLDER. More flags are those of Beam, such as
`--runner=FlinkRunner`.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apache_beam
from apache_beam.io import fileio
from apache_beam.options.pipeline_options import PipelineOptions

from audiopipe import FeatureSet, Transform, beam

HERE = Path(__file__).parent
AUDIO = HERE.parent / "audio"
CONFIG = "speech-mel-80"
LEAST_FRAMES = 100  # one second


def labels() -> Iterator[tuple[str, dict[str, str]]]:
    """Yields the path of each row of the table, and the row."""
    with open(HERE / "labels.csv", newline="") as file:
        for row in csv.DictReader(file):
            yield row["path"], {"label": row["label"], "split": row["split"]}


def labelled(joined: tuple[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields the row of a recording that has a label. Counts the others."""
    path, found = joined
    if found["files"] and found["labels"]:
        yield {"id": path, "audio": str(AUDIO / path), **found["labels"][0]}
    else:
        missing = "recordings_without_label" if found["files"] else "labels_without_recording"
        apache_beam.metrics.Metrics.counter("example", missing).inc()


def main(folder: Path, flags: list[str]) -> None:
    """Runs the example."""
    mel = Transform(CONFIG)
    with apache_beam.Pipeline(options=PipelineOptions(flags)) as pipeline:
        # Paths and labels are small, so they are joined before the features are computed: a feature that goes through
        # a GroupByKey takes several times its size in memory.
        files = (
            pipeline
            | fileio.MatchFiles(f"{AUDIO}/**")
            | apache_beam.Filter(lambda file: Path(file.path).suffix != ".txt")
            | "KeyFiles" >> apache_beam.Map(lambda file: (str(Path(file.path).relative_to(AUDIO)), file.path))
        )
        table = pipeline | "Labels" >> apache_beam.Create(list(labels()))
        rows = (
            {"files": files, "labels": table}
            | "Join" >> apache_beam.CoGroupByKey()
            | "Labelled" >> apache_beam.FlatMap(labelled)
        )

        features, failures = rows | beam.ComputeFeatures(mel, on_error="collect")
        long = features | "Long" >> apache_beam.Filter(lambda clip: clip["n_frames"] >= LEAST_FRAMES)
        _ = (long, failures) | beam.WriteFeatureSet(folder / "features", CONFIG, class_columns=["label"])
        _ = (
            long
            | "Train" >> apache_beam.Filter(lambda clip: clip["split"] == "train")
            | beam.FeatureStatistics(CONFIG)
            | apache_beam.Map(lambda statistics: (folder / "train.json").write_text(json.dumps(statistics.to_dict())))
        )

    stored = FeatureSet(folder / "features")
    print("clips:", ", ".join(f"{clip['id']} ({stored.class_names('label')[clip['label']]})" for clip in stored))
    print("hours:", round(stored.counts["hours"], 4), "failures:", stored.counts["failures"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
