"""Beam transform that computes the features of the elements of a collection."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics
from apache_beam.utils.windowed_value import PaneInfo, WindowedValue

from audiopipe import checks, wording
from audiopipe.beam import elements, input_collections, unsuitable_runners
from audiopipe.beam.bundle_features import BundleFeatures, Outcome, compiled
from audiopipe.beam.elements import Element
from audiopipe.errors import ArgumentError, AudioError, AudiopipeError
from audiopipe.transform import ends
from audiopipe.transform.transform import Transform

POLICIES = ("raise", "skip", "collect")
FEATURES = "features"
FAILURES = "failures"
REPORTED = 3  # elements that a warning about left-out elements describes

_log = logging.getLogger(__name__)


class Computed(NamedTuple):
    """What `ComputeFeatures` returns.

    Attributes:
        features: Collection of the elements with their features.
        failures: Collection of the elements that failed, as dicts with `id`, `path`, `stage` and `error`.
    """

    features: beam.PCollection
    failures: beam.PCollection


class ComputeFeatures(beam.PTransform):
    """Beam transform that computes the feature of every element.

    An element is a path (`str` or `os.PathLike`), a `fileio.ReadableFile`, a dict, a `beam.Row` or a named tuple. The
    last three hold the audio in the field that `transform.audio` names: a path, the bytes of an audio file, a dict with
    `bytes` or `path`, a dict with an `array` and its `sampling_rate`, a `ReadableFile`, or an array of samples at the
    config's rate.

    Clips of a bundle are read ahead and computed in groups. The results keep the order of the bundle, and the windows
    and timestamps of the elements, in pipelines for batches and for streams. The config travels with the pipeline, so
    workers need no registry. A transform is compiled once per process.

    The runner counts `clips`, `failures`, `remarks`, `seconds_of_audio`, `milliseconds_read` and `milliseconds_feature`
    in the namespace `audiopipe`.

    Args:
        transform: The transform. Its `audio` is the name of the field with the audio, its `feature` that of the field
            with the feature.
        on_error: What to do with an element that cannot be used, whose audio cannot be read, or whose audio is shorter
            than one frame. `"raise"` raises an error that names the element, so the pipeline fails. `"skip"` leaves the
            element out, counts it, and logs one warning per bundle. `"collect"` puts it into `failures`.

    Returns:
        The named tuple `Computed(features, failures)`.

        `features` has a dict for each element, with these entries.

        - `id`: the field `id` as a text, or without it the path of the audio.
        - All fields of the element except the audio.
        - The feature: float32 `[frames, bins, channels]`, or `[channels, frames, bins]` if the config says
          `channels_first`. It is read-only.
        - `n_frames`: the number of frames.
        - `valid_frames`: the number of frames that hold audio, if the config pads or cuts clips, like that of Whisper.
        - `<feature>_digest`: a text that lets later steps notice changed values.
        - `remarks`: a list of dicts about faults that did not prevent reading, such as a missing end. It is usually
          empty.

        `failures` has a dict for each element that failed, with `id`, `path`, `stage` and `error`. `id` and `path` are
        None if the element has none. The collection is empty unless `on_error` is `"collect"`.

    Raises:
        ArgumentError: If an argument is wrong, or the pipeline runs on Dask, whose runner drops elements.

    Example:
        >>> from audiopipe import Transform
        >>> rows = [{"id": "a", "audio": "examples/audio/speech.flac", "label": 3}, {"id": "b", "audio": "gone.wav"}]
        >>> with beam.Pipeline(runner="FnApiRunner") as pipeline:
        ...     computed = (
        ...         pipeline
        ...         | beam.Create(rows)
        ...         | ComputeFeatures(Transform("speech-mel-80"), on_error="collect")
        ...     )
        ...     shapes = computed.features | beam.Map(lambda row: print(row["id"], row["label"], row["feature"].shape))
        ...     errors = computed.failures | beam.Map(lambda row: print(row["id"], row["error"]))
        a 3 (349, 80, 1)
        b Could not read 'gone.wav': No such file or directory.
    """

    def __init__(self, transform: Transform, on_error: Literal["raise", "skip", "collect"] = "raise"):
        super().__init__()
        if not isinstance(transform, Transform):
            raise checks.fail("transform", "a Transform", transform, "Make one: Transform(config).")
        self._transform = transform
        self._on_error = checks.choice("on_error", on_error, POLICIES)
        others = [elements.ID, *elements.reserved_fields(transform.feature)[1:]]
        if transform.feature in others:
            raise ArgumentError(
                "The feature must not have the name of another field that ComputeFeatures adds: "
                f"{', '.join(others)}. Received: feature={transform.feature!r}. Give it another "
                "name: Transform(..., feature=...)."
            )

    def expand(self, pcoll):
        """Applies the function that computes the features of a bundle."""
        input_collections.check(pcoll, "ComputeFeatures")
        unsuitable_runners.check(pcoll.pipeline)
        compute = beam.ParDo(_Compute(self._transform, self._on_error))
        outputs = pcoll | "Compute" >> compute.with_outputs(FAILURES, main=FEATURES)
        computed = Computed(outputs[FEATURES], outputs[FAILURES])
        for collection in computed:
            # Not a hint of the function, because Beam's checks while a pipeline runs do not know that a value with a
            # tag can have windows.
            collection.element_type = beam.typehints.Dict[str, Any]
        return computed


@dataclass(slots=True, eq=False)
class _Place:
    """Place of an element in its collection: its timestamp, its windows and its pane."""

    value: Any
    timestamp: Any
    windows: list[Any]
    pane: PaneInfo


@beam.typehints.with_input_types(Any)
@beam.typehints.with_output_types(Any)
class _Compute(beam.DoFn):
    def __init__(self, transform: Transform, on_error: str):
        super().__init__()
        # The pickle refers to the config's class: a worker imports it because the job did, not because a file names it.
        self._transform = transform
        self._on_error = on_error
        self._reserved = elements.reserved_fields(transform.feature)
        names = ("clips", "failures", "remarks", "seconds_of_audio", "milliseconds_read", "milliseconds_feature")
        self._counters = {name: Metrics.counter("audiopipe", name) for name in names}
        self._parts = dict.fromkeys(names, 0.0)  # of numbers that were not counted yet, because they are no integers
        self._bundle: BundleFeatures | None = None
        self._last: _Place | None = None
        self._skipped: list[str] = []

    def start_bundle(self):
        self._close()
        self._bundle = BundleFeatures(compiled(self._transform))
        self._last = None
        self._skipped = []

    def process(
        self,
        element,
        timestamp=beam.DoFn.TimestampParam,
        window=beam.DoFn.WindowParam,
        pane=beam.DoFn.PaneInfoParam,
    ):
        last = self._last
        if last is not None and last.value is element and last.timestamp == timestamp and window not in last.windows:
            last.windows.append(window)  # Beam passes an element of several windows once for each of them
            return
        assert self._bundle is not None
        yield from self._outputs(self._bundle.ready())
        self._last = _Place(element, timestamp, [window], pane)
        self._bundle.add(self._last, elements.parse(element, self._transform.audio, self._reserved))

    def finish_bundle(self):
        assert self._bundle is not None
        self._last = None
        yield from self._outputs(self._bundle.rest())
        self._close()
        if self._skipped:
            count, more = len(self._skipped), len(self._skipped) - REPORTED
            _log.warning(
                "%s %s left out. %s%s To keep such elements, with their errors, use on_error='collect'.",
                wording.count_of(count, "element"),
                wording.noun_of(count, "was", "were"),
                " ".join(self._skipped[:REPORTED]),
                f" And {more} more." if more > 0 else "",
            )

    def teardown(self):
        self._close()

    def _close(self) -> None:
        if self._bundle is not None:
            self._bundle.close()
            self._bundle = None

    def _outputs(self, outcomes: Iterable[Outcome]) -> Iterator[Any]:
        for outcome in outcomes:
            place = outcome.key
            output = self._failed(outcome) if outcome.feature is None else self._computed(outcome, outcome.feature)
            if output is None:
                continue
            placed = WindowedValue(output, place.timestamp, tuple(place.windows), place.pane)
            yield placed if outcome.error is None else beam.pvalue.TaggedOutput(FAILURES, placed)
            del outcome, output, placed  # the next one may take a while to come

    def _computed(self, outcome: Outcome, feature: np.ndarray) -> dict[str, Any]:
        element, config = outcome.element, self._transform.config
        cut = ends.cut(outcome.n_samples, config)
        found = element.remarks if cut is None else [*element.remarks, cut]
        remarks = [elements.remark(element, remark) for remark in found]
        self._count("clips", 1)
        self._count("remarks", len(remarks))
        self._count("seconds_of_audio", outcome.n_samples / config.sample_rate)
        self._count("milliseconds_read", 1000 * outcome.read_seconds)
        self._count("milliseconds_feature", 1000 * outcome.feature_seconds)
        return elements.computed(element, feature, outcome.n_samples, remarks, config, self._transform.feature)

    def _failed(self, outcome: Outcome) -> dict[str, Any] | None:
        """Returns the failure of an element, raises its error, or counts it alone, as the policy says."""
        element, error = outcome.element, outcome.error
        text = str(error) if isinstance(error, AudiopipeError) else f"{type(error).__name__}: {error}"
        if self._on_error == "raise":
            self._close()
            if isinstance(error, ArgumentError):
                raise ArgumentError(_named(element, text)) from error
            raise AudioError(_named(element, text), outcome.stage) from error
        self._count("failures", 1)
        if self._on_error == "collect":
            return elements.failure(element, outcome.stage, text)
        self._skipped.append(_named(element, text))
        return None

    def _count(self, name: str, amount: float) -> None:
        total = self._parts[name] + amount
        whole = int(total)
        self._parts[name] = total - whole
        if whole:
            self._counters[name].inc(whole)


def _named(element: Element, error: str) -> str:
    """Returns the error of an element with its id and the path of its audio."""
    if element.path is not None and element.path not in error:
        error = f"{element.path!r}: {error}"
    return error if element.id is None or element.id == element.path else f"Element {element.id!r}: {error}"
