"""Tests of the probe of a machine: its files, what is recorded, and how two records compare."""

import json

import numpy as np
import pytest
import soundfile

from audiopipe import Statistics, Transform, configs, registry
from audiopipe.runtime import machine_facts
from audiopipe.transform import probe, probe_records, probe_verdicts
from audiopipe.transform.probe_records import ProbedFile, ProbeRecord

FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}


@pytest.fixture(scope="module")
def recorded(config):
    return probe.here(config)


def probe_path(name):
    return probe.importlib.resources.files("audiopipe.transform") / "probes" / name


def changed(record, name, *, step="feature", values=None):
    """Returns a record in which one file has other bits from a step on."""
    file = record.files[name]
    later = probe_records.STEPS[probe_records.STEPS.index(step) :]
    digests = {**file.digests, **dict.fromkeys(later, "0" * 16)}
    other = ProbedFile(digests, file.values if values is None else values)
    return ProbeRecord(record.fingerprint, {**record.files, name: other})


def facts(record):
    return {**machine_facts.machine(), "probe": json.loads(json.dumps(record.to_dict()))}


@pytest.mark.parametrize(("name", "rate"), probe.FILES.items())
def test_the_files_are_short_stereo_clips_of_three_formats(name, rate):
    info = soundfile.info(probe_path(name))
    assert (info.samplerate, info.channels) == (rate, 2)
    assert {"flac": "PCM_16", "mp3": "MPEG_LAYER_III", "opus": "OPUS"}[name.rpartition(".")[2]] == info.subtype
    assert 0.4 < info.duration < 0.6
    assert 0.1 < np.abs(soundfile.read(probe_path(name))[0]).max() < 1


def test_the_features_are_those_that_every_door_computes(mel, recorded):
    for name in ("music.mp3", "sweep.opus"):
        feature = mel.compute(mel.read(probe_path(name)))
        assert recorded.files[name].digests["feature"] == probe_records.digest(feature)
        np.testing.assert_array_equal(recorded.files[name].values, probe_records.spread(feature))


def test_the_probe_without_resampling_is_taken_at_the_rate_of_the_config(config, reference, recorded):
    samples = soundfile.read(probe_path("voice.flac"))[0].mean(axis=1)
    expected = probe_records.spread(reference(samples, config))
    # In decibels, float32 rounds most where a bin has far less power than others.
    np.testing.assert_allclose(recorded.files["voice.flac"].values, expected, atol=0.05)


@pytest.mark.parametrize(
    "other",
    [
        configs.StftMagnitude(sample_rate=8000, n_fft=256, channels=3, **FIXED),
        configs.StftMagnitude(sample_rate=8000, n_fft=256, channels=None, output_data_format="channels_first"),
        configs.StftMagnitude(sample_rate=8000, n_fft=256, channel=4, **FIXED),
        configs.StftMagnitude(sample_rate=8000, n_fft=32768, hop_length=16384, **FIXED),
        registry.get("whisper-80"),
        configs.NormalizedWaveform(),
    ],
    ids=["three channels", "all channels", "fifth channel", "long window", "padded", "waveform"],
)
@pytest.mark.cases(2)
def test_features_of_every_kind_can_be_probed(other):
    record = probe.here(other)
    for file in record.files.values():
        assert 0 < len(file.values) <= probe_records.MOST_VALUES
        assert np.isfinite(file.values).all()
        assert np.ptp(file.values) > 0  # a padded feature is probed in its valid frames
    assert len(json.dumps(record.to_dict())) < 36_000


def test_a_feature_that_refuses_the_probe_has_none(config, monkeypatch):
    def refuse(self, clip):
        raise RuntimeError("only whales")

    monkeypatch.setattr(Transform, "compute", refuse)
    monkeypatch.setattr(probe, "_computed", {})
    assert probe.record(config) == machine_facts.machine()
    assert probe.verdict({**machine_facts.machine(), "probe": {}}, config) is None


def test_the_probe_is_computed_once_per_process(config, recorded, monkeypatch):
    monkeypatch.setattr(probe, "measure", lambda transform: pytest.fail("It was computed again."))
    assert probe.here(config) is recorded


def test_records_survive_json_bit_by_bit(recorded):
    again = ProbeRecord.from_dict(json.loads(json.dumps(recorded.to_dict())))
    assert again.digest == recorded.digest
    for name, file in recorded.files.items():
        assert again.files[name].digests == file.digests
        np.testing.assert_array_equal(again.files[name].values.view(np.int32), file.values.view(np.int32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("files"), "must have the fields fingerprint, digest and files"),
        (lambda content: content.update(files=[]), "must have the fields"),
        (lambda content: content.update(digest="0" * 64), "The digest of a probe must be"),
        (lambda content: content.update(fingerprint="../../x"), "must have 64 hexadecimal digits"),
        (lambda content: content["files"]["voice.flac"].update(values="~"), "must be in base64"),
        (lambda content: content["files"]["voice.flac"].update(values="AAAA"), "must be float32. Received: 3 bytes"),
        (
            lambda content: content["files"]["voice.flac"].update(values="A" * 100_000),
            "text of at most 16384 characters",
        ),
        (lambda content: content["files"]["voice.flac"].update(values=[1.0]), "text of at most 16384 characters"),
        (lambda content: content["files"]["voice.flac"].pop("samples"), "must have the fields"),
    ],
)
def test_invalid_records_are_refused_and_count_as_none(recorded, config, change, message):
    content = json.loads(json.dumps(recorded.to_dict()))
    change(content)
    with pytest.raises(ValueError, match=message):
        ProbeRecord.from_dict(content)
    assert probe.verdict({"versions": {}, "probe": content}, config) is None


def test_equal_bits_agree(recorded, config):
    verdict = probe.verdict(facts(recorded), config)
    assert verdict.agrees
    assert (verdict.max_difference, verdict.text) == (0, "has the same bits here.")
    assert {file.step for file in verdict.files} == {None}


def test_other_bits_are_measured_and_rounded_up(recorded, config):
    values = recorded.files["music.mp3"].values.copy()
    values[[3, 70]] += [np.float32(-0.00123), np.float32(0.001)]
    exact = np.abs(values.astype(float) - recorded.files["music.mp3"].values).max()
    verdict = probe.verdict(facts(changed(recorded, "music.mp3", values=values)), config)
    assert not verdict.agrees
    assert verdict.max_difference == verdict.decibels == exact
    assert verdict.text == (
        "differs here by at most 0.0013 (0.0013 dB): the layer differs for music.mp3, every bit agrees for voice.flac "
        "and sweep.opus."
    )


@pytest.mark.parametrize(("step", "cause"), [("decoded", "the decoder differs"), ("samples", "the resampler differs")])
def test_the_first_step_that_differs_is_named(recorded, config, step, cause):
    other = recorded
    for name in ("music.mp3", "sweep.opus"):
        other = changed(other, name, step=step, values=recorded.files[name].values + np.float32(1))
    text = probe.verdict(facts(other), config).text
    assert text.endswith(f"dB): {cause} for music.mp3 and sweep.opus, every bit agrees for voice.flac.")


def test_samples_with_other_bits_do_not_matter_if_the_feature_has_the_same_bits(recorded, config):
    file = recorded.files["music.mp3"]
    other = ProbedFile({**file.digests, "samples": "0" * 16}, file.values)
    record = ProbeRecord(recorded.fingerprint, {**recorded.files, "music.mp3": other})
    assert probe.verdict(facts(record), config).agrees


@pytest.mark.parametrize(
    ("values", "amount"),
    [
        (lambda values: values, "in bits that the probe did not record"),
        (lambda values: values[:-1], "in its shape, or in where it is not a finite number"),
        (lambda values: np.where(np.arange(len(values)) == 5, np.nan, values), "in its shape, or in where it is not"),
    ],
)
def test_differences_without_a_number_are_said_in_words(recorded, config, values, amount):
    other = changed(recorded, "voice.flac", values=values(recorded.files["voice.flac"].values).astype(np.float32))
    verdict = probe.verdict(facts(other), config)
    assert not verdict.agrees
    assert f"differs here {amount}" in verdict.text


@pytest.mark.parametrize(
    ("config_of", "decibels"),
    [
        (lambda: configs.LogMel(log="ln"), 10 / np.log(10)),
        (lambda: configs.LogMel(log="log10", power=1.0), 20),
        (lambda: configs.LogMel(log="log10"), 10),
        (lambda: configs.LogMel(log="db"), 1),
        (lambda: configs.LogMel(log=None), None),
        (lambda: configs.LogMel(center_value=-4.0), None),
        (lambda: configs.MelSpectrogram(return_decibel=True), 1),
        (lambda: configs.MelSpectrogram(), None),
        (lambda: configs.StftMagPhase(return_decibel=True), None),
        (lambda: registry.get("whisper-80"), 40),
    ],
)
def test_one_unit_of_a_logarithm_is_known_in_decibels(config_of, decibels):
    assert config_of().decibels_per_unit == (None if decibels is None else pytest.approx(decibels, rel=1e-15))


def test_features_without_decibels_are_compared_with_their_largest_value(recorded, config):
    linear = configs.StftMagnitude(sample_rate=8000, n_fft=256, **FIXED)
    file = ProbedFile(dict.fromkeys(probe_records.STEPS, "0" * 16), np.array([8, -2], np.float32))
    other = ProbedFile(dict.fromkeys(probe_records.STEPS, "1" * 16), np.array([8, -4], np.float32))
    there, here = (ProbeRecord(linear.fingerprint, {"voice.flac": item}) for item in (file, other))
    verdict = probe_verdicts.compare(there, here, linear)
    assert verdict.decibels is None
    assert verdict.text == "differs here by at most 2 (0.25 of its largest value): the decoder differs."


def test_probes_of_other_features_kernels_and_files_are_not_compared(recorded, config):
    known = facts(recorded)
    assert probe.verdict({"versions": {}}, config) is None
    assert probe.verdict(known, configs.StftMagnitude(sample_rate=8000)) is None
    assert probe.verdict(known, config, config.kernel_version + 1) is None
    assert probe.verdict(known, config, config.kernel_version).agrees
    fewer = {name: file for name, file in recorded.files.items() if name != "sweep.opus"}
    assert probe.verdict(facts(ProbeRecord(recorded.fingerprint, fewer)), config) is None


def test_features_that_were_normalized_on_reading_are_compared_without_the_normalization(recorded, config):
    normalized = config.normalized(Statistics(mean=[-30.0] * config.n_bins, std=[9.0] * config.n_bins))
    assert probe.verdict(facts(recorded), normalized).agrees
    other = changed(recorded, "voice.flac", values=recorded.files["voice.flac"].values + np.float32(1))
    assert "(1.1 dB)" in probe.verdict(facts(other), normalized).text
    assert probe.verdict(facts(probe.here(normalized)), config) is None


def test_digests_depend_on_every_bit_and_the_shape_but_not_on_the_bits_of_nan():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    nan, other_nan = (np.array([bits], np.uint32).view(np.float32) for bits in (0x7FC00000, 0xFFC00001))
    assert probe_records.digest(values) == probe_records.digest(values.copy())
    assert probe_records.digest(values) != probe_records.digest(values.reshape(3, 2))
    assert probe_records.digest(np.zeros(1, np.float32)) != probe_records.digest(-np.zeros(1, np.float32))
    assert probe_records.digest(nan) == probe_records.digest(other_nan)
