"""Reads a feature set with a pipeline and combines its statistics: `python read_large_set.py FOLDER`."""

import sys

import apache_beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from audiopipe import FeatureSet, beam

if __name__ == "__main__":
    sets = FeatureSet(sys.argv[1])

    def check(statistics):
        """Compares the statistics with those that are stored."""
        assert statistics == sets.statistics

    with apache_beam.Pipeline(runner=FnApiRunner()) as pipeline:
        clips = pipeline | beam.ReadFeatureSet(sets)
        _ = clips | beam.FeatureStatistics(sets.config) | apache_beam.Map(check)
