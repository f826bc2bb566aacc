"""Clips from files, bytes and open files have the samples of libsndfile and soxr."""

import io
import os
import pickle
import tracemalloc
from pathlib import Path

import fsspec
import numpy as np
import pytest
import soundfile
import soxr

from audiopipe import audio
from audiopipe.audio import conversion
from audiopipe.errors import AudioError

RECORDINGS = Path(__file__).parents[3] / "shared" / "audio"
EXAMPLES = Path(__file__).parents[2] / "examples" / "audio"
RATE = 48000

FORMATS = [
    ("WAV", "PCM_U8", "wav"),
    ("WAV", "PCM_16", "wav"),
    ("WAV", "PCM_24", "wav"),
    ("WAV", "PCM_32", "wav"),
    ("WAV", "FLOAT", "wav"),
    ("WAV", "DOUBLE", "wav"),
    ("FLAC", "PCM_16", "flac"),
    ("OGG", "VORBIS", "ogg"),
    ("OGG", "OPUS", "opus"),
    ("MP3", "MPEG_LAYER_III", "mp3"),
    ("AIFF", "PCM_16", "aiff"),
]


def _noise(frames, channels):
    return (0.1 * np.random.default_rng(0).standard_normal((frames, channels))).astype("float32")


@pytest.fixture
def write(tmp_path):
    def write(name, samples, rate=RATE, **kind):
        soundfile.write(tmp_path / name, samples, rate, **kind)
        return str(tmp_path / name)

    return write


def _whole(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def _ways_to_read(path):
    yield path
    yield Path(path)
    yield Path(path).read_bytes()
    yield io.BytesIO(Path(path).read_bytes())
    memory = f"memory://test-audio/{os.path.basename(path)}"
    with fsspec.open(memory, "wb") as file:
        file.write(Path(path).read_bytes())
    yield memory


@pytest.mark.parametrize(("container", "subtype", "extension"), FORMATS, ids=lambda value: value)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_has_the_samples_of_a_single_read(write, container, subtype, extension, channels):
    path = write(f"clip.{extension}", _noise(5000, channels), format=container, subtype=subtype)
    expected = _whole(path)
    for source in _ways_to_read(path):
        samples = audio.read(source, sample_rate=RATE, channels=None)
        assert samples.dtype == np.float32
        assert samples.flags.c_contiguous
        np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize(("container", "subtype", "extension"), FORMATS[5:], ids=lambda value: value)
def test_long_clips_read_in_blocks_have_the_samples_of_a_single_read(write, monkeypatch, container, subtype, extension):
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 2000)
    path = write(f"clip.{extension}", _noise(50000, 2), format=container, subtype=subtype)
    for source in _ways_to_read(path):
        np.testing.assert_array_equal(audio.read(source, sample_rate=RATE, channels=None), _whole(path))


@pytest.mark.parametrize("name", ["strings.mp3", "strings-stereo.ogg", "sweep.opus"])
def test_music_read_in_blocks_has_the_samples_of_a_single_read(monkeypatch, name):
    # Unlike noise, music in MP3 shows whether a decoder seeks after a block: the error is 0.13 of full scale here.
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 2000)
    path = EXAMPLES / "music" / name
    rate = soundfile.info(path).samplerate
    for source in _ways_to_read(path):
        np.testing.assert_array_equal(audio.read(source, sample_rate=rate, channels=None), _whole(path))


@pytest.mark.parametrize("frames", [999, 1000, 1001, 2000])
def test_clips_that_end_at_or_near_the_end_of_a_block_are_complete(write, monkeypatch, frames):
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 1000)
    path = write("clip.wav", _noise(frames, 1), subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(path, sample_rate=RATE), _noise(frames, 1))


@pytest.mark.parametrize("claimed", [0, 999, 1000, 1001, 2**40])
def test_all_frames_are_read_whatever_number_the_header_claims(write, monkeypatch, claimed):
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 600)
    path = write("clip.wav", _noise(1000, 1), subtype="FLOAT")
    monkeypatch.setattr(soundfile.SoundFile, "frames", claimed)
    blocks = list(audio.read_blocks(path, sample_rate=RATE))
    np.testing.assert_array_equal(np.concatenate(blocks), _noise(1000, 1))
    assert max(len(block.base if block.base is not None else block) for block in blocks) <= 600


def test_a_clip_takes_no_more_memory_than_its_samples(write):
    samples = audio.read(write("clip.wav", _noise(1000, 1), subtype="FLOAT"), sample_rate=RATE)
    assert samples.base.size <= 1001


def test_an_open_file_stays_open(write):
    path = write("clip.flac", _noise(100, 1))
    with open(path, "rb") as file:
        np.testing.assert_array_equal(audio.read(file, sample_rate=RATE), _whole(path))
        assert not file.closed


def test_names_that_are_not_utf8_are_read(write, tmp_path):
    path = write("clip.wav", _noise(100, 1), subtype="FLOAT")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 \n.wav")
    os.rename(path, odd)
    np.testing.assert_array_equal(audio.read(odd, sample_rate=RATE), _noise(100, 1))


@pytest.mark.parametrize("channels", [2, 3, 7])
def test_channels_are_summed_in_order_and_multiplied_by_the_reciprocal(write, channels):
    path = write("clip.wav", _noise(4000, channels), subtype="FLOAT")
    total = np.zeros(4000, np.float32)
    for channel in range(channels):
        total = (total + _whole(path)[:, channel]).astype(np.float32)
    expected = total * (np.float32(1) / np.float32(channels))
    mixed = audio.read(path, sample_rate=RATE, channels=1)
    np.testing.assert_array_equal(mixed[:, 0], expected)
    np.testing.assert_allclose(mixed[:, 0], _whole(path).mean(axis=1, dtype="float64"), atol=1e-7)


def test_channels_are_mixed_down_before_resampling(write):
    path = write("clip.wav", _noise(4000, 2), subtype="FLOAT")
    left, right = _whole(path).T
    expected = soxr.resample((left + right) * np.float32(0.5), RATE, 16000, quality="HQ")
    np.testing.assert_array_equal(audio.read(path, sample_rate=16000)[:, 0], expected)


@pytest.mark.parametrize("quality", ["QQ", "LQ", "MQ", "HQ", "VHQ"])
@pytest.mark.parametrize("rates", [(48000, 16000), (44100, 16000), (8000, 22050)])
def test_resampling_has_the_bits_of_soxr(write, quality, rates):
    rate, sample_rate = rates
    path = write("clip.wav", _noise(3000, 2), rate, subtype="FLOAT")
    samples = audio.read(path, sample_rate=sample_rate, channels=2, resampler_quality=quality)
    np.testing.assert_array_equal(samples, soxr.resample(_noise(3000, 2), rate, sample_rate, quality=quality))


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.[wfmoa]*")), ids=lambda path: path.name)
@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100])
def test_blocks_of_any_size_equal_the_whole_file_resampled_at_once(monkeypatch, path, sample_rate):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    expected = samples if rate == sample_rate else soxr.resample(samples, rate, sample_rate, quality="HQ")
    for size in (1777, 1 << 20):
        monkeypatch.setattr(conversion, "BLOCK_SAMPLES", size)
        blocks = list(audio.read_blocks(path, sample_rate=sample_rate, channels=None))
        assert len(blocks) > 1 or size > samples.size or rate == sample_rate
        assert max(len(block) for block in blocks) <= 2 * size * max(1, sample_rate / rate)
        np.testing.assert_array_equal(np.concatenate(blocks), expected)


@pytest.mark.cases(4)
@pytest.mark.parametrize("quality", ["QQ", "LQ", "MQ", "HQ", "VHQ"])
@pytest.mark.parametrize("rates", [(44100, 16000), (8000, 22050), (11025, 48000), (16000, 15999)])
def test_awkward_rates_in_blocks_have_the_bits_of_soxr(write, monkeypatch, quality, rates):
    rate, sample_rate = rates
    path = write("clip.wav", _noise(3000, 2), rate, subtype="FLOAT")
    expected = soxr.resample(_noise(3000, 2), rate, sample_rate, quality=quality)
    for size in (2, 202, 5998, 6000):
        monkeypatch.setattr(conversion, "BLOCK_SAMPLES", size)
        samples = audio.read(path, sample_rate=sample_rate, channels=None, resampler_quality=quality)
        np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rate", [44100, 8000])
def test_clips_that_are_resampled_in_pieces_have_the_bits_of_soxr(write, channels, rate):
    noise = _noise(3 * conversion.CACHED_SAMPLES // channels + 1, channels)
    path = write("clip.wav", noise, rate, subtype="FLOAT")
    blocks = list(audio.read_blocks(path, sample_rate=16000, channels=None))
    assert len(blocks) > 3
    np.testing.assert_array_equal(np.concatenate(blocks), soxr.resample(noise, rate, 16000, quality="HQ"))


def test_the_error_for_a_sample_in_a_later_block_gives_its_time_in_the_file(write, monkeypatch):
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 1000)
    samples = _noise(48000, 1)
    samples[36000] = np.inf
    path = write("bad.wav", samples, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"bad\.wav.*Received: \[inf\] at 0\.750 s"):
        audio.read(path, sample_rate=16000)


def test_upsampling_from_a_low_rate_yields_blocks_of_limited_size(monkeypatch):
    monkeypatch.setattr(conversion, "BLOCK_SAMPLES", 4096)
    decoded = [(_noise(10000, 1), 100)]
    blocks = list(audio.convert_blocks(decoded, sample_rate=16000, channels=1, resampler_quality="HQ"))
    assert max(map(len, blocks)) < 160 * 2000  # soxr buffers about 2000 samples internally
    np.testing.assert_array_equal(np.concatenate(blocks), soxr.resample(_noise(10000, 1), 100, 16000, quality="HQ"))


@pytest.mark.parametrize("channels", [2, 3])
def test_long_clips_are_mixed_down_in_pieces_with_the_same_bits(channels):
    samples = _noise(conversion.CACHED_SAMPLES + 1, channels)
    total = samples[:, 0]
    for channel in range(1, channels):
        total = total + samples[:, channel]
    expected = total * (np.float32(1) / np.float32(channels))
    np.testing.assert_array_equal(conversion.mix_down(samples), expected[:, None])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("quiet", [[], [0.0], [0.0, -0.0], [1e-45, 0.0], [-0.0, 2.0**-64, -(2.0**-64), 1e-45, 0.0]])
def test_inaudible_samples_become_zero_and_all_others_keep_their_bits(order, quiet):
    samples = _noise(1000, 2)
    samples[:4, 0] = np.nan, -np.inf, 2.0**-63, -(2.0**-63)
    samples[10 : 10 + len(quiet), 1] = quiet
    expected = np.where(np.abs(samples) < 2.0**-63, np.float32(0), samples)
    found = conversion.without_inaudible(np.asarray(samples, order=order))
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found.view(np.uint32), expected.view(np.uint32))


def test_equal_rates_are_not_resampled(write, monkeypatch):
    path = write("clip.wav", _noise(3000, 1), 16000, subtype="FLOAT")
    monkeypatch.setattr(soxr, "ResampleStream", None)
    np.testing.assert_array_equal(audio.read(path, sample_rate=16000), _noise(3000, 1))


def test_rates_that_soxr_refuses_fail_at_the_stage_resample(write):
    path = write("clip.wav", _noise(10, 1))
    with pytest.raises(AudioError, match=r"clip\.wav.*from 48000 Hz to 0 Hz") as caught:
        audio.read(path, sample_rate=0)
    assert caught.value.stage == "resample"


def test_values_above_full_scale_are_kept(write):
    loud = np.array([[1.5], [-3.0], [1e6], [0.25]], np.float32)
    np.testing.assert_array_equal(audio.read(write("a.wav", loud, subtype="FLOAT"), sample_rate=RATE), loud)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_error_for_a_sample_that_is_not_finite_gives_its_time(write, value):
    samples = _noise(48000, 2)
    samples[12000, 1] = value
    path = write("bad.wav", samples, subtype="FLOAT")
    with pytest.raises(AudioError, match=rf"bad\.wav.*finite samples. Received: \[{value}\] at 0\.250 s") as caught:
        audio.read(path, sample_rate=16000)
    assert caught.value.stage == "decode"


def test_samples_that_only_damage_can_make_are_refused_because_their_powers_are_infinite(write):
    largest = np.full((4000, 1), 2.0**36, np.float32)
    np.testing.assert_array_equal(audio.read(write("loud.wav", largest, subtype="FLOAT"), sample_rate=RATE), largest)
    largest[RATE // 20] = -(2.0**37)
    with pytest.raises(AudioError, match=r"bad\.wav.*at most 6\.87e\+10. Received: \[-137438953472\.0\] at 0\.050 s"):
        audio.read(write("bad.wav", largest, subtype="FLOAT"), sample_rate=RATE)


def test_another_number_of_channels_is_refused(write):
    path = write("mono.wav", _noise(100, 1))
    with pytest.raises(AudioError, match=r"mono\.wav.*requires 2 channels. Received: 1\. .*channels=None") as caught:
        audio.read(path, sample_rate=RATE, channels=2)
    assert caught.value.stage == "decode"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.wav", b"", "the file is empty"),
        ("text.wav", b"this is no audio", "it is text instead of audio: 'this is no audio'"),
        ("noise.wav", bytes(range(1, 256)), "Format not recognised"),
        ("headerless.raw", bytes(range(1, 256)), "Format not recognised"),
        ("headerless.al", bytes(range(1, 256)), "Format not recognised"),
        ("zero.wav", bytes(1000), "all of its 1000 bytes are zero"),
    ],
)
def test_files_that_are_not_audio_fail_at_the_stage_decode(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioError, match=rf"Could not decode '.*{name}' as audio: .*{message}") as caught:
        audio.read(tmp_path / name, sample_rate=16000)
    assert caught.value.stage == "decode"


def test_the_error_for_bytes_that_are_not_audio_gives_their_number():
    with pytest.raises(AudioError, match="Could not decode 16 bytes as audio"):
        audio.read(b"this is no audio", sample_rate=16000)


def test_a_clip_without_samples_is_refused(write):
    path = write("zero.wav", np.zeros((0, 1), "float32"))
    with pytest.raises(AudioError, match=r"zero\.wav.*has no samples") as caught:
        audio.read(path, sample_rate=16000)
    assert caught.value.stage == "decode"


def test_half_a_flac_file_is_refused(write, tmp_path):
    content = Path(write("clip.flac", _noise(20000, 1))).read_bytes()
    (tmp_path / "half.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=r"half\.flac.*lost sync") as caught:
        audio.read(tmp_path / "half.flac", sample_rate=16000)
    assert caught.value.stage == "decode"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.wav", "missing.wav': No such file or directory"),
        ("", "Is a directory"),
        ("nul\0.wav", "null byte"),
    ],
)
def test_paths_that_cannot_be_opened_fail_at_the_stage_read(tmp_path, name, message):
    with pytest.raises(AudioError, match=rf"Could not read '.*{message}\.") as caught:
        audio.read(f"{tmp_path}/{name}", sample_rate=16000)
    assert caught.value.stage == "read"


@pytest.mark.parametrize("path", ["memory://test-audio/missing.wav", "nosuch://bucket/clip.wav"])
def test_remote_files_that_cannot_be_opened_fail_at_the_stage_read(path):
    with pytest.raises(AudioError, match=f"Could not read '{path}'") as caught:
        audio.read(path, sample_rate=16000)
    assert caught.value.stage == "read"


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_file_without_permission_fails_at_the_stage_read(write):
    path = write("secret.wav", _noise(100, 1))
    os.chmod(path, 0)
    with pytest.raises(AudioError, match=r"secret\.wav': Permission denied") as caught:
        audio.read(path, sample_rate=16000)
    assert caught.value.stage == "read"


@pytest.mark.parametrize("source", [None, 3, [0.1, 0.2]])
def test_sources_of_other_types_are_refused(source):
    with pytest.raises(AudioError, match=rf"path, bytes or an open binary file. Received: {type(source).__name__}"):
        audio.read(source, sample_rate=16000)


def test_errors_can_be_pickled():
    error = pickle.loads(pickle.dumps(AudioError("The audio has no samples.", stage="decode")))
    assert type(error) is AudioError
    assert (str(error), error.stage) == ("The audio has no samples.", "decode")


def test_a_flac_header_that_claims_too_many_samples_fails_and_uses_little_memory(write, tmp_path):
    path = write("clip.flac", _noise(5000, 1))
    content = bytearray(Path(path).read_bytes())
    # FLAC's STREAMINFO begins at byte 8. The number of samples has 36 bits and ends at byte 26.
    content[21] |= 0x0F
    content[22:26] = b"\xff\xff\xff\xff"
    (tmp_path / "liar.flac").write_bytes(content)
    assert soundfile.info(tmp_path / "liar.flac").frames == 2**36 - 1
    blocks = []
    tracemalloc.start()
    try:
        with pytest.raises(AudioError, match=rf"5000 of {2**36 - 1} samples could be decoded\.") as caught:
            blocks.extend(audio.read_blocks(tmp_path / "liar.flac", sample_rate=RATE))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.stage == "decode"
    assert peak < 16e6


def test_a_flac_file_without_a_length_is_read(write):
    path = write("clip.flac", _noise(5000, 1))
    content = bytearray(Path(path).read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    np.testing.assert_array_equal(audio.read(bytes(content), sample_rate=RATE), _whole(path))


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the shared recordings are not available")
@pytest.mark.parametrize("name", ["common_voice_en_651325.mp3", "vocadito-10.wav", "ami-es2011a-headset0.wav"])
def test_real_recordings_have_the_samples_of_soundfile_and_soxr(name):
    samples, rate = soundfile.read(RECORDINGS / name, dtype="float32", always_2d=True)
    assert samples.shape[1] == 1
    expected = samples if rate == 16000 else soxr.resample(samples, rate, 16000, quality="HQ")
    np.testing.assert_array_equal(audio.read(RECORDINGS / name, sample_rate=16000), expected)
