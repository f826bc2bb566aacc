"""Probe of a machine: the features of three short audio files, which tell whether another machine computes these bits.

The files come with audiopipe. `voice.flac` is not resampled: its samples are taken at the sample rate of the config, so
it probes the layer alone. `music.mp3` (44.1 kHz) and `sweep.opus` (48 kHz) probe the decoder and the resampler as well.
"""

import functools
import importlib.resources
from typing import Any

import numpy as np

from audiopipe import audio
from audiopipe.configs import clip_lengths
from audiopipe.configs.base import Config
from audiopipe.runtime import machine_facts
from audiopipe.transform.probe_records import STEPS, ProbedFile, ProbeRecord, digest, spread
from audiopipe.transform.probe_verdicts import Verdict, compare

SUBJECT = "the feature of the probe files"
"""What the text of a verdict is about."""

KEY = "probe"
"""Key of the probe among the facts about a machine."""

FILES = {"voice.flac": 16000, "music.mp3": 44100, "sweep.opus": 48000}
"""Name and sample rate of each file."""

TAKEN_AS_IT_IS = "voice.flac"  # at the sample rate of the config
LEAST_FRAMES = 4
MOST_SAMPLES = 1 << 22  # of a probe that is extended, because a feature has few frames in a second

_computed: dict[str, ProbeRecord | None] = {}  # by the fingerprint of the feature


def record(config: Config) -> dict[str, Any]:
    """Returns what is recorded about this machine and a feature that it computes.

    Computes the probe once per process and config. If the feature cannot be computed from the probe files, as a feature
    of another package may refuse them, there is no probe.

    Args:
        config: Config of the feature.

    Returns:
        A dict for JSON: the facts of `audiopipe.runtime.machine_facts.machine`, and the probe under `"probe"`.

    Example:
        >>> from audiopipe import registry
        >>> facts = record(registry.get("speech-mel-80"))
        >>> sorted(facts["probe"]["files"])
        ['music.mp3', 'sweep.opus', 'voice.flac']
        >>> verdict(facts, registry.get("speech-mel-80")).agrees
        True
    """
    computed = here(config)
    return machine_facts.machine() | ({} if computed is None else {KEY: computed.to_dict()})


def of_machine(facts: dict[str, Any]) -> ProbeRecord | None:
    """Returns the probe in the facts about a machine, or None if there is none, or it is not valid."""
    try:
        return ProbeRecord.from_dict(facts[KEY]) if KEY in facts else None
    except ValueError:
        return None


def without_values(facts: dict[str, Any]) -> dict[str, Any]:
    """Returns the facts about a machine with the digests of its probe alone, for people to read."""
    if KEY not in facts:
        return facts
    files = {name: {step: file[step] for step in STEPS} for name, file in facts[KEY]["files"].items()}
    return {**facts, KEY: {**facts[KEY], "files": files}}


def verdict(facts: dict[str, Any], config: Config, kernel_version: int | None = None) -> Verdict | None:
    """Computes the probe of a feature here and compares it with that of another machine.

    Args:
        facts: Facts about the other machine, as `record` returns them.
        config: Config of the feature. If it is normalized, the other machine may have computed the feature without the
            normalization, as when features are stored once and normalized on reading. That feature is then compared.
        kernel_version: Kernel version of the features. None means that of this release.

    Returns:
        The verdict. None if nothing can be compared: the other machine has no probe, its probe is of another feature,
        kernel version or other files, or the probe cannot be computed here.
    """
    there = of_machine(facts)
    if there is None or kernel_version not in (None, config.kernel_version):
        return None
    for feature in (config, config.without_normalization):
        if there.fingerprint == feature.fingerprint:
            computed = here(feature)
            return None if computed is None else compare(there, computed, feature)
    return None


def here(config: Config, transform: Any = None) -> ProbeRecord | None:
    """Computes the probe of a feature on this machine, once per process and feature.

    Args:
        config: Config of the feature.
        transform: A `Transform` of the config, whose graph is there already. None makes one.

    Returns:
        The record, or None if the probe cannot be computed.
    """
    if config.fingerprint not in _computed:
        _computed[config.fingerprint] = _measured(config, transform)
    return _computed[config.fingerprint]


def _measured(config: Config, transform: Any) -> ProbeRecord | None:
    from audiopipe.transform.transform import Transform  # imports TensorFlow

    try:
        return measure(transform or Transform(config))
    except Exception:  # the layer of another package may raise anything
        return None


def measure(transform: Any) -> ProbeRecord:
    """Computes the features of the probe files.

    Args:
        transform: A `Transform`.

    Raises:
        Exception: If the feature cannot be computed from the files.
    """
    import tensorflow as tf

    config: Config = transform.config
    files = {}
    with tf.init_scope():  # `load` may be called while a graph is built
        for name in FILES:
            samples = _samples(name, config)
            feature = np.asarray(transform.compute(samples))
            valid = min(feature.shape[config.frame_axis], int(config.valid_frames(len(samples))))
            values = spread(np.take(feature, range(valid), axis=config.frame_axis))
            decoded, _ = _decoded(name)
            files[name] = ProbedFile(
                {"decoded": digest(decoded), "samples": digest(samples), "feature": digest(feature)}, values
            )
    return ProbeRecord(config.fingerprint, files)


def _samples(name: str, config: Config) -> np.ndarray:
    """Returns a probe as a clip of a config, float32 `[time, channels]`, with a few frames at least.

    The two channels of the file are repeated if the config needs more. If the clip is too short, it is repeated.
    """
    decoded, rate = _decoded(name)
    width = max(decoded.shape[1], 1 + (config.channel or 0)) if config.channels in (None, 1) else config.channels
    wide = decoded[:, [channel % decoded.shape[1] for channel in range(width or 1)]]
    blocks = audio.convert_blocks(
        [(wide, config.sample_rate if name == TAKEN_AS_IT_IS else rate)],
        sample_rate=config.sample_rate,
        channels=config.channels,
        channel=config.channel,
        resampler_quality=config.resampler_quality,
        on_remark=lambda remark: None,
    )
    samples = audio.joined(blocks)
    needed = clip_lengths.fewest_samples(config, LEAST_FRAMES, valid=True)
    if len(samples) < needed <= MOST_SAMPLES:
        samples = np.resize(samples, (needed, samples.shape[1]))
    return samples[: config.max_samples]


@functools.cache
def _decoded(name: str) -> tuple[np.ndarray, int]:
    """Returns the samples of a probe file, float32 `[time, channels]`, and their sample rate."""
    content = importlib.resources.files("audiopipe.transform").joinpath("probes", name).read_bytes()
    return audio.read(content, sample_rate=FILES[name], channels=None), FILES[name]
