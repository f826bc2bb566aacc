"""Pipelines that collect elements in this process, which runners in memory share with the test."""

import itertools

import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from audiopipe import beam

_numbers = itertools.count()
_collected = {}


def _collect(element, number, timestamp=apache_beam.DoFn.TimestampParam, window=apache_beam.DoFn.WindowParam):
    _collected[number].append((element, timestamp, window))


class Collect(apache_beam.PTransform):
    """Collects elements in the order in which they come.

    Attributes:
        places: The elements with their timestamps and windows.
    """

    def __init__(self):
        super().__init__()
        self._number = next(_numbers)
        self.places = _collected[self._number] = []

    def expand(self, elements):
        return elements | apache_beam.Map(_collect, self._number)

    @property
    def elements(self):
        return [element for element, _, _ in self.places]


def pipeline(*flags, runner=None, **options):
    return apache_beam.Pipeline(runner=runner or FnApiRunner(), options=PipelineOptions(list(flags), **options))


def compute(values, transform, on_error="raise", *flags, **options):
    """Returns the features and the failures of elements, which come in one bundle."""
    features, failures = Collect(), Collect()
    with pipeline(*flags, **options) as made:
        created = made | apache_beam.Create(values, reshuffle=False)
        computed = created | beam.ComputeFeatures(transform, on_error)
        computed.features | "Features" >> features
        computed.failures | "Failures" >> failures
    return features.elements, failures.elements
