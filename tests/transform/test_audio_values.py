"""Recognition and reading of audio values in rows of `datasets`, in every form."""

import types

import numpy as np
import pytest
import soundfile
import soxr

from audiopipe import configs
from audiopipe.errors import ArgumentError, AudioError
from audiopipe.transform import audio_values

CONFIG = configs.StftMagnitude(sample_rate=8000, n_fft=256, channels=None)
MONO = configs.StftMagnitude(sample_rate=8000, n_fft=256)
STEREO = np.random.default_rng(1).uniform(-0.9, 0.9, (700, 2)).astype(np.float32)


class Decoder:
    """Stand-in for torchcodec's `AudioDecoder`, which decodes on demand and returns channels first."""

    def __init__(self, array, sample_rate):
        self._samples = types.SimpleNamespace(data=np.atleast_2d(array), sample_rate=sample_rate)

    def get_all_samples(self):
        return self._samples


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    name = tmp_path_factory.mktemp("rows") / "clip.wav"
    soundfile.write(name, STEREO, 8000, subtype="FLOAT")
    return name


def test_every_encoded_form_decodes_to_the_samples_of_the_file(path):
    content = path.read_bytes()
    with path.open("rb") as file:
        forms = [
            {"bytes": content, "path": None},
            {"bytes": None, "path": str(path)},
            {"path": str(path)},
            content,
            path,
            str(path),
            file,
        ]
        for form in forms:
            clip = audio_values.read(form, CONFIG)
            assert clip.dtype == np.float32
            np.testing.assert_array_equal(clip, STEREO)


def test_stored_bytes_take_precedence_over_the_path(path):
    np.testing.assert_array_equal(audio_values.read({"bytes": path.read_bytes(), "path": "gone.wav"}, CONFIG), STEREO)


def test_stored_bytes_take_precedence_over_a_decoded_array(path):
    row = {"bytes": path.read_bytes(), "array": np.zeros(5), "sampling_rate": 8000}
    np.testing.assert_array_equal(audio_values.read(row, CONFIG), STEREO)


def test_the_encoded_audio_of_a_decoder_is_read(path):
    decoder = Decoder(np.zeros(10), 44100)
    decoder._hf_encoded = {"bytes": path.read_bytes(), "path": None}
    np.testing.assert_array_equal(audio_values.read(decoder, CONFIG), STEREO)


def test_the_encoded_audio_of_any_object_is_read(path):
    value = types.SimpleNamespace(_hf_encoded={"bytes": None, "path": str(path)})
    np.testing.assert_array_equal(audio_values.read(value, CONFIG), STEREO)


@pytest.mark.parametrize("make", [lambda array, rate: {"array": array, "sampling_rate": rate}, Decoder])
def test_an_array_with_another_rate_is_resampled(make):
    array = np.sin(np.arange(1600) / 7).astype(np.float32)
    expected = soxr.resample(array, 16000, 8000, quality="HQ")
    np.testing.assert_array_equal(audio_values.read(make(array, 16000), MONO)[:, 0], expected)


@pytest.mark.parametrize("array", [STEREO.T, STEREO, STEREO.T[:, :50]])
def test_a_stereo_array_may_have_the_channels_first_or_last(array):
    expected = STEREO[: array.size // 2]
    np.testing.assert_array_equal(audio_values.read({"array": array, "sampling_rate": 8000}, CONFIG), expected)


def test_a_stereo_array_is_mixed_down_before_it_is_resampled():
    clip = audio_values.read({"array": STEREO.T, "sampling_rate": 16000}, MONO)
    expected = soxr.resample((STEREO[:, 0] + STEREO[:, 1]) * np.float32(0.5), 16000, 8000, quality="HQ")
    np.testing.assert_array_equal(clip[:, 0], expected)


@pytest.mark.parametrize("convert", [np.ndarray.tolist, np.asarray, lambda array: array.astype(np.float64)])
def test_plain_numbers_have_the_sample_rate_of_the_config(convert):
    np.testing.assert_array_equal(audio_values.read(convert(STEREO[:, 0]), CONFIG)[:, 0], STEREO[:, 0])
    np.testing.assert_array_equal(audio_values.read(convert(STEREO), CONFIG), STEREO)


@pytest.mark.parametrize("row", [None, {"bytes": None, "path": None}, {"array": None, "sampling_rate": 8000}])
def test_a_row_without_audio_is_an_audio_error(row):
    with pytest.raises(AudioError, match="The row holds no audio") as caught:
        audio_values.read(row, CONFIG)
    assert caught.value.stage == "read"


def test_audio_that_cannot_be_decoded_is_named(tmp_path):
    path = tmp_path / "broken.wav"
    path.write_text("no audio")
    with pytest.raises(AudioError, match=r"broken\.wav") as caught:
        audio_values.read({"bytes": None, "path": str(path)}, CONFIG)
    assert caught.value.stage == "decode"


def test_bytes_that_cannot_be_decoded_are_named_by_the_path_beside_them():
    with pytest.raises(AudioError, match=r"take-17\.wav.*8 bytes") as caught:
        audio_values.read({"bytes": b"no audio", "path": "take-17.wav"}, CONFIG)
    assert caught.value.stage == "decode"


@pytest.mark.parametrize("values", [np.arange(9), [1, 2, 3], {"array": np.zeros(9, np.int16), "sampling_rate": 8000}])
def test_integers_are_refused_with_advice_to_scale_them(values):
    with pytest.raises(ArgumentError, match=r"dtype=int(16|64), shape=\(\d,\)\. Scale integers first"):
        audio_values.read(values, CONFIG)


@pytest.mark.parametrize("shape", [(2, 3, 4), ()])
def test_other_ranks_are_refused(shape):
    with pytest.raises(ArgumentError, match=r"Received: shape=\("):
        audio_values.read(np.zeros(shape, np.float32), CONFIG)


def test_rows_of_unequal_lengths_are_refused():
    with pytest.raises(ArgumentError, match="Received: rows of unequal lengths"):
        audio_values.read([[0.1, 0.2], [0.3]], CONFIG)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ({"bytes": b""}, True),
        ({"path": "a.wav"}, True),
        ({"array": [0.0], "sampling_rate": 1}, True),
        ("a.wav", True),
        (b"RIFF", True),
        (Decoder([0.0], 1), True),
        ({"other": 1}, False),
        ([0.0, 1.0], False),
        (np.zeros(3), False),
        (None, False),
    ],
)
def test_encoded_audio_is_distinguished_from_numbers(value, encoded):
    assert audio_values.is_encoded(value) is encoded


@pytest.mark.parametrize(
    ("value", "is_batch"),
    [
        (["a.wav", None, "b.wav"], True),
        ([{"path": "a.wav"}, {"bytes": b""}], True),
        ([None, None], False),
        ([], False),
        ([0.0, 1.0], False),
        ([[0.0], [1.0]], False),
        ("a.wav", False),
    ],
)
def test_a_batch_of_encoded_audio_is_distinguished_from_one_clip(value, is_batch):
    assert audio_values.is_batch_of_encoded(value) is is_batch


def test_a_plain_array_with_the_channels_first_is_refused():
    with pytest.raises(ArgumentError, match=r"at most 64 channels. Received: shape=\(2, 1600\)"):
        audio_values.read(np.zeros((2, 1600), np.float32), CONFIG)


@pytest.mark.parametrize("rate", [None, "16000", 0, -8000])
def test_an_array_without_its_rate_is_refused(rate):
    with pytest.raises(ArgumentError, match="must have the key 'sampling_rate'"):
        audio_values.read({"array": np.zeros(1600), "sampling_rate": rate}, CONFIG)


@pytest.mark.parametrize("rate", [np.int64(8000), np.array(8000), np.int32(8000)])
def test_a_sampling_rate_may_be_a_numpy_integer(rate):
    np.testing.assert_array_equal(audio_values.read({"array": STEREO.T, "sampling_rate": rate}, CONFIG), STEREO)


def test_bytes_and_paths_in_tensors_are_read(path):
    tensor = pytest.importorskip("tensorflow").constant
    content = path.read_bytes()
    np.testing.assert_array_equal(
        audio_values.read({"bytes": tensor(content), "path": tensor("gone.wav")}, CONFIG), STEREO
    )
    np.testing.assert_array_equal(audio_values.read({"bytes": None, "path": tensor(str(path))}, CONFIG), STEREO)
    np.testing.assert_array_equal(
        audio_values.read({"array": tensor(STEREO.T), "sampling_rate": tensor(8000)}, CONFIG), STEREO
    )


def test_a_decoder_that_fails_raises_an_audio_error():
    class Broken:
        def get_all_samples(self):
            raise RuntimeError("Invalid data found")

    with pytest.raises(AudioError, match="Broken could not decode the row's audio: Invalid data found") as caught:
        audio_values.read(Broken(), CONFIG)
    assert caught.value.stage == "decode"


def test_a_decoder_without_encoded_audio_is_asked_for_its_samples():
    decoder = Decoder(STEREO.T, 8000)
    decoder._hf_encoded = {"bytes": None, "path": None}
    np.testing.assert_array_equal(audio_values.read(decoder, CONFIG), STEREO)


@pytest.mark.parametrize(
    "value", [Decoder(STEREO.T, 8000), {"array": STEREO.T, "sampling_rate": 8000}, STEREO, STEREO[:, 0].tolist()]
)
def test_strict_refuses_decoded_samples(value):
    with pytest.raises(ArgumentError, match=r"Received: (Decoder|dict|ndarray|list) with samples that are already"):
        audio_values.read(value, CONFIG, strict=True)


def test_strict_reads_encoded_audio(path):
    for form in (path, str(path), path.read_bytes(), {"bytes": path.read_bytes(), "path": None}, {"path": str(path)}):
        np.testing.assert_array_equal(audio_values.read(form, CONFIG, strict=True), STEREO)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"path": "a.wav"}, "a.wav"),
        ("b.wav", "b.wav"),
        ({"bytes": b"", "path": None}, None),
        (b"RIFF", None),
        (None, None),
    ],
)
def test_path_of_returns_the_path_of_a_value(value, expected):
    assert audio_values.path_of(value) == expected


@pytest.mark.parametrize(
    ("value", "ready"),
    [
        (STEREO, True),
        (STEREO.tolist(), True),
        ({"array": STEREO, "sampling_rate": 8000}, True),
        ({"array": STEREO, "sampling_rate": 16000}, False),
        ({"array": STEREO, "sampling_rate": 8000, "bytes": b"RIFF"}, False),
        ({"array": None, "path": "clip.wav", "sampling_rate": 8000}, False),
        ("clip.wav", False),
        (b"RIFF", False),
        (None, False),
        (Decoder(STEREO.T, 8000), False),
    ],
)
def test_only_samples_at_the_right_rate_are_ready(value, ready):
    assert audio_values.is_ready(value, 8000) == ready
