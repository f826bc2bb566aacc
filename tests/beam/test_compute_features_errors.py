"""`ComputeFeatures`: elements that fail, under every policy."""

import logging
import re

import apache_beam
import numpy as np
import pytest
from apache_beam.metrics import MetricsFilter
from collecting import Collect, compute, pipeline

from audiopipe import Transform, beam
from audiopipe.beam.compute_features import _Compute
from audiopipe.errors import ArgumentError, AudioError

NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 2000).astype(np.float32)
GOOD = {"id": "good", "audio": NOISE}

# Each element with the id, the path and the stage of its failure, the type of its error, and what the error says.
BROKEN = {
    "a missing file": (
        "gone.wav",
        "gone.wav",
        "gone.wav",
        "read",
        AudioError,
        "Could not read 'gone.wav': No such file",
    ),
    "no audio in the file": (
        {"id": "x", "audio": {"bytes": b"no audio", "path": "a.wav"}},
        "x",
        "a.wav",
        "decode",
        AudioError,
        "'a.wav': ",
    ),
    "a short clip": ({"id": "x", "audio": NOISE[:9]}, "x", None, "feature", AudioError, "shorter than one frame"),
    "null audio": ({"id": "x", "audio": None}, "x", None, "read", AudioError, "holds no audio"),
    "no audio": (
        {"id": "x", "sound": "a.wav", "label": 3},
        "x",
        None,
        "read",
        ArgumentError,
        "An element must have the field 'audio' with the audio. Received the fields: id, sound, label. ",
    ),
    "integers": (
        {"id": "x", "audio": np.zeros(2000, np.int16)},
        "x",
        None,
        "read",
        ArgumentError,
        "A waveform must have floating-point samples",
    ),
    "no rate": ({"id": "x", "audio": {"array": NOISE}}, "x", None, "read", ArgumentError, "the key 'sampling_rate'"),
    "a wrong type of audio": ({"id": "x", "audio": 5}, "x", None, "read", ArgumentError, "'audio' must have a path,"),
    "a dict without audio": (
        {"id": "x", "audio": {"file": "a.wav"}},
        "x",
        None,
        "read",
        ArgumentError,
        "Received: a dict with the keys file. Put the audio there, or name the field that holds it",
    ),
    "no id": ({"audio": NOISE}, None, None, "read", ArgumentError, "must have an id: the field 'id', or audio with a"),
    "an empty id": (
        {"id": "", "audio": "a.wav"},
        None,
        None,
        "read",
        ArgumentError,
        "The field 'id' must be a text or",
    ),
    "a list as id": ({"id": [1], "audio": "a.wav"}, None, None, "read", ArgumentError, "Received: [1] (list)"),
    "a missing number as id": (
        {"id": float("nan"), "audio": NOISE},
        None,
        None,
        "read",
        ArgumentError,
        "Received: nan",
    ),
    "a batch of rows": (
        {"id": ["a", "b"], "audio": ["a.wav", "b.wav"]},
        None,
        None,
        "read",
        ArgumentError,
        "Received: ['a', 'b'] (list). An element is one clip: divide a batch with beam.FlatMap. The element: {'id'",
    ),
    "a batch of paths": (
        {"id": "x", "audio": ["a.wav", "b.wav"]},
        "x",
        None,
        "read",
        ArgumentError,
        "Received: a list of 2 values, the first of them 'a.wav' (str). An element is one clip: divide a batch",
    ),
    "a batch of waveforms": (
        {"id": "x", "audio": np.zeros((2, 2000, 1), np.float32)},
        "x",
        None,
        "read",
        ArgumentError,
        "Received: an array of the shape (2, 2000, 1). An element is one clip: divide a batch with beam.FlatMap.",
    ),
    "a batch of waveforms of datasets": (
        {"id": "x", "audio": {"array": np.zeros((2, 2000, 1), np.float32), "sampling_rate": 8000}},
        "x",
        None,
        "read",
        ArgumentError,
        "Received: an array of the shape (2, 2000, 1). An element is one clip",
    ),
    "an empty path": ({"id": "x", "audio": ""}, "x", "", "read", ArgumentError, "'audio' must have a path,"),
    "an empty path of datasets": (
        {"id": "x", "audio": {"path": ""}},
        "x",
        "",
        "read",
        ArgumentError,
        "Received: 'path' with '' (str). Correct the path.",
    ),
    "an empty text": ("", None, "", "read", ArgumentError, "'audio' must have a path,"),
    "a path under bytes": (
        {"id": "x", "audio": {"bytes": "a.wav"}},
        "x",
        None,
        "read",
        ArgumentError,
        "Received: 'bytes' with 'a.wav' (str). Put the path of a file under 'path'.",
    ),
    "a number as path": (
        {"id": "x", "audio": {"path": 5}},
        "x",
        None,
        "read",
        ArgumentError,
        "Received: 'path' with 5 (int). Correct the path.",
    ),
    "an empty dict": ({"id": "x", "audio": {}}, "x", None, "read", ArgumentError, "Received: an empty dict. Put the"),
    "a row without id and audio": (
        {"file": "a.wav", "label": 3},
        None,
        None,
        "read",
        ArgumentError,
        "Received the fields: file, label. Add the audio, or name the field that holds it: Transform(..., audio=...). "
        "The element: {'file': 'a.wav', 'label': 3}.",
    ),
    "texts as samples": (
        {"id": "x", "audio": np.array(["a"] * 2000)},
        "x",
        None,
        "read",
        ArgumentError,
        "Received: dtype=<U1, shape=(2000,). Convert the samples to float32 numbers.",
    ),
    "missing samples": ({"id": "x", "audio": [None] * 9}, "x", None, "read", ArgumentError, "Received: dtype=object"),
    "samples that are no numbers": (
        {"id": "x", "audio": np.where(np.arange(2000) == 80, np.nan, NOISE)},
        "x",
        None,
        "decode",
        AudioError,
        "The audio must have finite samples. Received: [nan] at 0.010 s.",
    ),
    "bytes of text": (
        {"id": "x", "audio": b"no audio"},
        "x",
        None,
        "decode",
        AudioError,
        "Could not decode 8 bytes as audio",
    ),
    "a number": (7, None, None, "read", ArgumentError, "An element must be a path, a dict, a beam.Row, a named tuple"),
    "bare bytes": (
        b"RIFF",
        None,
        None,
        "read",
        ArgumentError,
        "Received: b'RIFF' (bytes). Put other audio into a dict",
    ),
    "a key and a value": (("x", "a.wav"), None, None, "read", ArgumentError, "Received: ('x', 'a.wav') (tuple)"),
    "a name that is no text": (
        {"id": "x", "audio": "a.wav", 5: 3},
        "x",
        None,
        "read",
        ArgumentError,
        "The names of fields must be texts. Received: 5 (int)",
    ),
    "the name of a new field": (
        {"id": "x", "audio": "a.wav", "n_frames": 3},
        "x",
        "a.wav",
        "read",
        ArgumentError,
        "must not have fields with the names that ComputeFeatures adds. Received: n_frames.",
    ),
    "a field that would count as frames with audio": (
        {"id": "x", "audio": NOISE, "valid_frames": 3},
        "x",
        None,
        "read",
        ArgumentError,
        "must not have fields with the names that ComputeFeatures adds. Received: valid_frames.",
    ),
}


def test_collected_failures_have_the_words_of_a_job_and_the_order_of_the_elements(mel):
    elements = [case[0] for case in BROKEN.values()]
    features, failures = compute([GOOD, *elements, {"id": "last", "audio": NOISE}], mel, "collect")
    assert [row["id"] for row in features] == ["good", "last"]
    np.testing.assert_array_equal(features[0]["feature"], mel(NOISE))
    assert len(failures) == len(BROKEN)
    for name, failure in zip(BROKEN, failures, strict=True):
        _, id, path, stage, _, message = BROKEN[name]
        assert list(failure) == ["id", "path", "stage", "error"]
        assert (failure["id"], failure["path"], failure["stage"]) == (id, path, stage), name
        assert message in failure["error"], name


@pytest.mark.parametrize("name", BROKEN)
def test_a_raised_error_names_the_element(name, config):
    element, id, path, _, kind, message = BROKEN[name]
    fn = _Compute(Transform(config), "raise")  # called as a runner does
    fn.start_bundle()
    assert list(fn.process(element, 0, None, None)) == []
    with pytest.raises(kind, match=re.escape(message)) as raised:
        list(fn.finish_bundle())
    assert (f"Element {id!r}: " in str(raised.value)) == (id not in (None, path))


def test_an_error_fails_the_pipeline_and_names_the_element(mel):
    with pytest.raises(AudioError, match=r"Element 'x': The row holds no audio.* \[while running") as raised:
        compute([GOOD, {"id": "x", "audio": None}], mel)
    assert raised.value.stage == "read"


def test_an_error_names_the_path_and_the_id(clips, mel):
    path = str(clips / "broken.wav")
    with pytest.raises(Exception, match=re.escape(f"Element 'x': Could not decode {path!r}")):
        compute([{"id": "x", "audio": path}], mel)


def test_skipped_elements_are_counted_and_logged(mel, caplog):
    broken = [{"id": f"broken {number}", "audio": None} for number in range(5)]
    features, failures = Collect(), Collect()
    made = pipeline()
    computed = made | apache_beam.Create([GOOD, *broken], reshuffle=False) | beam.ComputeFeatures(mel, "skip")
    computed.features | "Features" >> features
    computed.failures | "Failures" >> failures
    with caplog.at_level(logging.WARNING, "audiopipe.beam"):
        result = made.run()
        result.wait_until_finish()
    assert [row["id"] for row in features.elements] == ["good"]
    assert failures.elements == []
    counts = _counts(result)
    assert (counts["clips"], counts["failures"]) == (1, 5)
    [record] = caplog.records
    assert record.getMessage().startswith("5 elements were left out. Element 'broken 0': The row holds no audio")
    assert "broken 2" in record.getMessage()
    assert "broken 3" not in record.getMessage()
    assert "And 2 more." in record.getMessage()


def test_one_skipped_element_is_logged_in_the_singular(mel, caplog):
    with caplog.at_level(logging.WARNING, "audiopipe.beam"):
        compute([GOOD, {"id": "broken", "audio": None}], mel, "skip")
    [record] = caplog.records
    assert record.getMessage().startswith("1 element was left out. Element 'broken': The row holds no audio")


def test_a_runner_counts_clips_remarks_and_time(clips, config):
    made = pipeline()
    quiet = {"id": "silent", "audio": np.array([[0.25, -0.25]] * 16000, np.float32)}
    elements = [str(clips / "mono.wav"), quiet, *[{"id": str(number), "audio": NOISE} for number in range(18)]]
    made | apache_beam.Create(elements) | beam.ComputeFeatures(Transform(config), "collect")
    result = made.run()
    result.wait_until_finish()
    counts = _counts(result)
    assert (counts["clips"], counts["remarks"]) == (20, 1)
    assert counts["seconds_of_audio"] == (4000 + 16000 + 18 * 2000) // 8000  # and 1000 samples, which are not a second
    assert counts["milliseconds_feature"] > 0
    assert "failures" not in counts


def test_an_unexpected_error_fails_one_element(mel, monkeypatch):
    """A damaged file can make a library raise anything."""

    def read_blocks(self, source, **options):
        if isinstance(source, str):
            raise ZeroDivisionError("no such chunk")
        yield source[:, None]

    monkeypatch.setattr(Transform, "read_blocks", read_blocks)
    [row], [failure] = compute(["strange.wav", GOOD], mel, "collect")
    assert row["id"] == "good"
    assert failure["error"] == "ZeroDivisionError: no such chunk"
    assert (failure["id"], failure["stage"]) == ("strange.wav", "read")
    with pytest.raises(AudioError, match=r"^'strange\.wav': ZeroDivisionError: no such chunk"):
        compute(["strange.wav"], mel)


def _counts(result):
    found = result.metrics().query(MetricsFilter().with_namespace("audiopipe"))["counters"]
    return {counter.key.metric.name: counter.committed for counter in found}
