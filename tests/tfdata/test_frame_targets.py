"""Targets of frames from events, compared with a reference that assigns every sample to its nearest frame."""

import dataclasses

import numpy as np
import pytest
import survival
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from audiopipe import Transform, configs, tfdata
from audiopipe.errors import ArgumentError

FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
STFT = configs.StftMagnitude(sample_rate=1000, n_fft=64, hop_length=24, **FIXED)
CONFIGS = [
    STFT,
    dataclasses.replace(STFT, win_length=40, hop_length=11, output_data_format="channels_first"),
    dataclasses.replace(STFT, hop_length=80),
    dataclasses.replace(STFT, window_name="vorbis_window", hop_length=25),
    dataclasses.replace(STFT, pad_begin=True, pad_end=True),
    configs.KerasMelSpectrogram(sample_rate=1000, fft_length=64, sequence_stride=24, num_mel_bins=4, **FIXED),
    configs.WhisperLogMel(n_mels=4, chunk_seconds=None, **FIXED),
    configs.WhisperLogMel(n_mels=4, chunk_seconds=0.25, **FIXED),
]
NAMES = ["cat", "dog", "rain"]
SPEC = {
    "id": tf.TensorSpec([], tf.string),
    "n_frames": tf.TensorSpec([], tf.int64),
    "onset": tf.TensorSpec([None], tf.float64),
    "offset": tf.TensorSpec([None], tf.float64),
    "label": tf.TensorSpec([None], tf.int64),
}


def elements(config, clips, **spec):
    """Returns a dataset of clips, each with a feature of zeros."""
    spec = {"feature": tf.TensorSpec(config.feature_shape(None, 1), tf.float32), **SPEC, **spec}

    def generate():
        for number, clip in enumerate(clips):
            size = clip.get("size", clip["n_frames"])
            feature = np.zeros(config.feature_shape(size, 1), np.float32)
            yield {"id": f"clip-{number}", "feature": feature, **{name: clip[name] for name in spec if name in clip}}

    return tf.data.Dataset.from_generator(generate, output_signature=spec)


def owners(config, n_samples, n_frames):
    """Returns the frame whose centre is nearest to each sample, the later one of two."""
    centres = config.frame_centres(n_frames) * config.sample_rate
    distances = np.abs(np.arange(n_samples)[:, np.newaxis] - centres[np.newaxis, ::-1]).round(6)
    return n_frames - 1 - distances.argmin(axis=1)


def reference(config, n_samples, n_frames, events):
    """Returns the targets `[n_frames, classes]` of events in samples, by the owners of their samples."""
    owner = owners(config, n_samples, n_frames)
    targets = np.zeros((n_frames, len(NAMES)), np.float32)
    for begin, end, label in events:
        targets[owner[max(begin, 0) : max(end, begin + 1, 0)], label] = 1.0
    return targets


def drawn_events(noise, n_samples, inside):
    """Draws events as triples of the first sample, the sample after the last one, and the position of the class."""
    events = []
    for _ in range(noise.integers(0, 6)):
        begin, end = np.sort(noise.integers(-n_samples, 2 * n_samples, 2)).tolist()
        if noise.random() < 0.2:
            begin = end = int(noise.integers(0, n_samples))
        if not inside or (begin < n_samples and end > 0):
            events.append((begin, end, int(noise.integers(0, len(NAMES)))))
    return events


def columns_of(events, config, noise, origin):
    """Returns the lists of events, whose times are up to a third of a sample off."""
    begin, end, labels = np.array(events, np.int64).reshape(-1, 3).T
    off = noise.uniform(-0.3, 0.3, (2, len(events)))
    off[1] = np.where(begin == end, off[0], off[1])
    onset, offset = (
        (samples + origin + one) / config.sample_rate for samples, one in zip((begin, end), off, strict=True)
    )
    return {"onset": onset, "offset": offset, "label": labels, "start": origin / config.sample_rate}


def kept(config, n_samples):
    """Returns how many samples of a clip the feature covers."""
    chunk = getattr(config, "chunk_seconds", None)
    return n_samples if chunk is None else min(n_samples, round(chunk * config.sample_rate))


def doubtful(config, n_frames):
    """Returns the first sample that is nearest to no frame and may be beyond the end of a clip."""
    samples = np.arange(10_000)
    fewest = samples[config.valid_frames(samples) == n_frames].min()
    return max(fewest, samples[owners(config, 10_000, n_frames + 100) == n_frames].min())


def drawn_clip(noise, config, is_crop, is_segment):
    """Draws a clip and returns its entries and its targets."""
    n_samples = kept(config, int(noise.integers(100, 350)) * config.sample_rate // 1000)
    n_frames, valid = config.n_frames(n_samples), config.valid_frames(n_samples)
    events = drawn_events(noise, n_samples, inside=not is_segment)
    # Frames tell the length of a clip to within a hop, and events may last longer than the clip.
    more = range(n_samples, kept(config, n_samples + 200) + 1)
    longest = max(samples for samples in more if config.valid_frames(samples) == valid)
    entries = columns_of(events, config, noise, int(noise.integers(0, 9999)) if is_segment else 0)
    inside = [event for event in events if not is_segment or event[0] < doubtful(config, valid)]
    targets = reference(config, longest, valid, inside)
    if not is_crop:
        targets = np.pad(targets, [(0, n_frames - valid), (0, 0)])
        return {"size": n_frames, "n_frames": n_frames, "valid_frames": valid, **entries}, targets
    start, size = noise.integers(0, n_frames), noise.integers(1, n_frames + 3)
    targets = np.pad(targets, [(0, n_frames + size), (0, 0)])[start : start + size]
    real, left = min(size, n_frames - start), np.clip(valid - start, 0, size)
    entries |= {"valid_frames": left, "start_frame": start, "clip_frames": valid}
    return {"size": size, "n_frames": real, **entries}, targets


@settings(max_examples=settings().max_examples // 6, phases=[Phase.generate])  # each traces a graph
@given(st.sampled_from(CONFIGS), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_an_event_is_active_in_the_frames_that_its_samples_are_nearest_to(config, is_crop, is_segment, seed):
    noise = np.random.default_rng(seed)
    clips, expected = zip(*[drawn_clip(noise, config, is_crop, is_segment) for _ in range(15)], strict=True)
    spec = {"valid_frames": tf.TensorSpec([], tf.int64), "start": tf.TensorSpec([], tf.float64)}
    if is_crop:
        spec["start_frame"] = spec["clip_frames"] = tf.TensorSpec([], tf.int64)
    made = tfdata.frame_targets(elements(config, clips, **spec), NAMES, config, origin="start" if is_segment else None)
    for element, targets in zip(made.as_numpy_iterator(), expected, strict=True):
        np.testing.assert_array_equal(element["targets"], targets, strict=True)


CLIP = {"n_frames": 9, "onset": [0.05], "offset": [0.1], "label": ["dog"], "label_length": 1}
TEXT = {"label": tf.TensorSpec([None], tf.string), "label_length": tf.TensorSpec([], tf.int64)}
WRONG = [
    (
        {"offset": [0.1, 0.2]},
        "The clip 'clip-0' must have lists of one length in 'onset', 'offset', 'label'. Received: onset: 1, offset: 2, "
        "label: 1. If the clip has no events, give it empty lists. If its events are unknown, leave it out: "
        "load(sets.where(...)).",
    ),
    (
        {"onset": [float("nan")]},
        "The clip 'clip-1': event 0 must have a finite onset, and an offset that is not before it. Received: "
        "onset=nan, offset=0.1, label='dog'. Fix the metadata. An offset of infinity means the end of the clip.",
    ),
    (
        {"onset": [0.1, 50.0], "offset": [0.2, 60.0], "label": ["cat", "cat"]},
        "The clip 'clip-2': event 1 must overlap the clip. Received: onset=50, offset=60, label='cat'. Give times "
        "in seconds from the start of the clip. If the clip is a segment and the times count from the start of the "
        "recording, pass origin='start', the column with the start of the segment.",
    ),
    ({"label": ["cow"]}, "event 0 must have one of the classes of 'label': 'cat', 'dog', 'rain'. Received: "),
    ({"label": [""]}, "offset=0.1, label=''. Check the names"),
    ({"onset": [], "offset": [], "label": [], "label_length": -1}, "onset: 0, offset: 0, label: missing."),
    ({"offset": [float("nan")]}, "offset=nan"),
    ({"offset": [0.04]}, "an offset that is not before it. Received: onset=0.05, offset=0.04, label='dog'"),
    ({"onset": [float("-inf")]}, "a finite onset"),
    ({"onset": [-1.0], "offset": [0.0]}, "must overlap the clip. Received: onset=-1, offset=0,"),
]


def test_events_that_cannot_be_placed_are_errors_that_name_the_clip():
    clips = [CLIP | changes for changes, _ in WRONG]
    iterator = iter(tfdata.frame_targets(elements(STFT, clips, **TEXT), NAMES, STFT))
    for _, message in WRONG:
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            next(iterator)
        assert message in caught.value.message.replace("\\'", "'")


WHISPER = configs.WhisperLogMel(n_mels=4, chunk_seconds=0.25, **FIXED)
LATER = {"onset": [0.1, 0.2, 0.25, 7.0], "offset": [0.104, 0.3, 0.3, 8.0], "label": [0, 1, 2, 2]}


def test_events_beyond_the_fixed_length_of_a_feature_are_cut_off_as_the_audio_is():
    dataset = elements(WHISPER, [LATER | {"n_frames": 25}])
    assert WHISPER.n_frames(4001) == WHISPER.valid_frames(4000) == 25
    [element] = tfdata.frame_targets(dataset, NAMES, WHISPER).as_numpy_iterator()
    np.testing.assert_array_equal(np.argwhere(element["targets"]), [[10, 0], *([frame, 1] for frame in range(20, 25))])


def test_an_unknown_position_is_an_error():
    clips = [CLIP | {"label": [1]}, CLIP | {"label": [3]}]
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"event 0 must have one of .* label=3. Check the names"):
        list(tfdata.frame_targets(elements(STFT, clips), NAMES, STFT))


def test_a_clip_whose_start_is_missing_is_an_error_as_its_events_would_be_lost():
    dataset = elements(STFT, [CLIP], **TEXT).map(lambda clip: {**clip, "start": tf.constant(np.nan, tf.float64)})
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"clip-0.* a finite time of its start in .*start.*: nan"):
        list(tfdata.frame_targets(dataset, NAMES, STFT, origin="start"))


def test_an_event_that_does_not_end_lasts_to_the_end_and_onsets_alone_mark_one_frame():
    clip = CLIP | {"onset": [0.1, 0.15], "offset": [float("inf")] * 2, "label": ["dog", "cat"]}
    dataset = elements(STFT, [clip], **TEXT)
    mel = Transform(STFT)
    both = tfdata.frame_targets(dataset, NAMES, mel)
    assert both.element_spec["targets"].shape.as_list() == [None, 3]
    [element] = both.as_numpy_iterator()
    np.testing.assert_array_equal(element["targets"].argmax(axis=0), [5, 3, 0])
    np.testing.assert_array_equal(element["targets"].sum(axis=0), [4, 6, 0])
    [element] = tfdata.frame_targets(dataset, NAMES, mel, offset="onset").as_numpy_iterator()
    np.testing.assert_array_equal(np.argwhere(element["targets"]), [[3, 1], [5, 0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"onset": "begin"},
            r"onset must be an entry of the dataset: one of 'feature', 'id', .*Received: onset='begin'",
        ),
        ({"origin": "begin"}, "Received: origin='begin'"),
        ({"onset": "n_frames"}, "onset must be a column of lists"),
        ({"origin": "onset"}, "origin must be a column with one time per clip"),
        ({"origin": "id"}, "The column 'id' must have times in seconds"),
        ({"label": "onset"}, "The column 'onset' must have positions of classes"),
        ({"config": Transform(STFT, feature="stft")}, "must have an entry 'stft'.* Received: the entries feature, id"),
        ({"classes": []}, "classes must be a list of names"),
    ],
    ids=[
        "no-onset",
        "no-origin",
        "one-onset",
        "many-origins",
        "text-origin",
        "label-of-times",
        "no-feature",
        "no-classes",
    ],
)
def test_wrong_arguments_name_what_there_is(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        tfdata.frame_targets(elements(STFT, [CLIP]), **{"classes": NAMES, "config": STFT, **arguments})


def test_batches_and_second_targets_are_refused():
    dataset = elements(STFT, [CLIP])
    with pytest.raises(ArgumentError, match=r"Received: batches\. Call frame_targets before the dataset is batched"):
        tfdata.frame_targets(dataset.padded_batch(2), NAMES, STFT)
    with pytest.raises(ArgumentError, match="Received: batches"):
        tfdata.frame_targets(dataset.ragged_batch(2), NAMES, STFT)
    with pytest.raises(ArgumentError, match="must not have an entry 'targets'"):
        tfdata.frame_targets(tfdata.frame_targets(dataset, NAMES, STFT), NAMES, STFT)


@pytest.mark.parametrize("name", ["n_frames", "valid_frames", "start_frame"])
def test_metadata_that_is_no_number_of_frames_is_refused(name):
    dataset = elements(STFT, [CLIP], **TEXT).map(lambda clip: {**clip, name: "all"})
    with pytest.raises(ArgumentError, match=f"'{name}' must be a number of frames.* rename the column"):
        tfdata.frame_targets(dataset, NAMES, STFT)


def test_cardinality_options_and_saved_iterators_survive(tmp_path):
    clip = {name: np.array(CLIP[name])[np.newaxis].repeat(3, axis=0) for name in ("onset", "offset", "label")}
    clip |= {"id": list("abc"), "feature": np.zeros((3, 9, 33, 1), np.float32)}
    dataset = survival.with_option(tf.data.Dataset.from_tensor_slices(clip))
    made = tfdata.frame_targets(dataset, NAMES, STFT)
    assert made.element_spec["targets"].shape.as_list() == [9, 3]
    assert made.cardinality() == 3
    assert survival.has_option(made)
    assert survival.ids_after_a_restore(made, tmp_path) == [b"b", b"c"]
