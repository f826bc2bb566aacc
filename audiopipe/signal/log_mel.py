"""Arguments of log-mel spectrograms: checks, also of one against another, and values for those that are left out."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from audiopipe import checks
from audiopipe.signal import filterbanks
from audiopipe.signal.edges import EdgeFraming

HANN, HAMMING, POVEY, BLACKMAN, RECTANGULAR = WINDOWS = ("hann", "hamming", "povey", "blackman", "rectangular")
ALWAYS_SYMMETRIC = (POVEY, RECTANGULAR)
ENDS_AT_ZERO = (HANN, POVEY, BLACKMAN)  # the symmetric windows of these names
NATURAL, DECIMAL, DECIBEL = LOGS = ("ln", "log10", "db")
LOG_FLOOR = 1e-10  # amin of librosa.power_to_db
SMALLEST_LOG_OFFSET = 1e-30  # 2**24 times as large as subnormal numbers, so the sum does not depend on them
LONGEST_CLIP_SECONDS = 86400.0
LARGEST_VALUE = 1e30  # float32 holds it, its reciprocal, and sums of it
LARGEST_GAIN = 2.0**31  # from 32-bit integers to full scale and back
NO_CLIP_LENGTH = "None without clip_seconds"


def resolve(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the arguments of a log-mel spectrogram and fills in those that are None.

    Args:
        arguments: The fields of `audiopipe.configs.LogMel` that describe the computation. Others are ignored.

    Returns:
        The checked arguments, in their canonical types.

    Raises:
        ArgumentError: If an argument is out of range or contradicts another one.
    """
    rate = checks.integer("sample_rate", arguments["sample_rate"], minimum=1, maximum=checks.LARGEST_SIZE)
    values = {"sample_rate": rate}
    for part in (_clip_length, _waveform, _frames, _window, _spectrum, _bands, _logarithm, _normalization, _rows):
        values |= part({**arguments, **values})
    return values


def clip_samples(clip_seconds: float, sample_rate: int) -> int:
    """Returns the number of samples of a clip of `clip_seconds`.

    Example:
        >>> clip_samples(10.0, 48000)
        480000
    """
    return round(clip_seconds * sample_rate)


def edge_framing(values: Mapping[str, Any]) -> EdgeFraming:
    """Returns the frames of a clip that has its final length.

    Raises:
        ArgumentError: If a size is out of range or contradicts another one.
    """
    return EdgeFraming.resolve(**{item.name: values[item.name] for item in dataclasses.fields(EdgeFraming)})


def standardized(values: np.ndarray, center: float, scale: float) -> np.ndarray:
    """Returns `(values - center) / scale` with the bits of `audiopipe.layers.Standardize`.

    Example:
        >>> standardized(np.array([3.0], np.float32), center=1.0, scale=4.0)
        array([0.5], dtype=float32)
    """
    kind = values.dtype.type
    return (values - kind(center)) * kind(1 / scale)


def padding(values: Mapping[str, Any]) -> float | None:
    """Returns what frames beyond a clip's end hold: `padding_value` after the affine step, or None for silence.

    Example:
        >>> padding({"padding_value": 0.0, "center_value": -2.0, "scale_value": 4.0})
        0.5
    """
    if values["padding_value"] is None:
        return None
    value = np.array(values["padding_value"], np.float32)
    return float(standardized(value, values["center_value"], values["scale_value"])) + 0.0


def _clip_length(values: Mapping[str, Any]) -> dict[str, Any]:
    seconds, short, long = values["clip_seconds"], values["short_clips"], values["long_clips"]
    if seconds is None:
        _must_be("short_clips", short, None, NO_CLIP_LENGTH, "Set clip_seconds to give all clips one length.")
        _must_be("long_clips", long, None, NO_CLIP_LENGTH, "Set clip_seconds to give all clips one length.")
        return {"clip_seconds": None, "short_clips": None, "long_clips": None}
    rate = values["sample_rate"]
    seconds = checks.real("clip_seconds", seconds, minimum=1 / rate, maximum=LONGEST_CLIP_SECONDS)
    samples = clip_samples(seconds, rate)
    if abs(samples - seconds * rate) > 1e-3:
        raise checks.fail(
            "clip_seconds",
            f"a whole number of samples at {rate} Hz",
            seconds,
            f"Use {samples / rate!r} for {samples} samples.",
        )
    if samples > checks.LARGEST_SIZE:
        longest = checks.LARGEST_SIZE / rate
        raise checks.fail("clip_seconds", f"at most {longest:g} at {rate} Hz, because a tensor holds no more", seconds)
    return {
        "clip_seconds": samples / rate,
        "short_clips": checks.choice("short_clips", "pad" if short is None else short, ("pad", "repeat")),
        "long_clips": checks.choice("long_clips", "cut" if long is None else long, ("cut", "error")),
    }


def _waveform(values: Mapping[str, Any]) -> dict[str, Any]:
    gain = checks.real("gain", values["gain"], minimum=1 / LARGEST_GAIN, maximum=LARGEST_GAIN)
    coefficient = _amount("preemphasis", checks.real("preemphasis", values["preemphasis"], minimum=0, below=1))
    kind = values["preemphasis_of"]
    if coefficient == 0:
        _must_be("preemphasis_of", kind, None, "None without preemphasis", "Set preemphasis, for example to 0.97.")
    else:
        kind = checks.choice("preemphasis_of", "frame" if kind is None else kind, ("frame", "waveform"))
    dc = checks.boolean("remove_dc_offset", values["remove_dc_offset"])
    return {"gain": gain, "preemphasis": coefficient, "preemphasis_of": kind, "remove_dc_offset": dc}


def _frames(values: Mapping[str, Any]) -> dict[str, Any]:
    return dataclasses.asdict(edge_framing(values))


def _window(values: Mapping[str, Any]) -> dict[str, Any]:
    window, length = checks.choice("window", values["window"], WINDOWS), values["win_length"]
    periodic = window not in ALWAYS_SYMMETRIC if values["periodic"] is None else values["periodic"]
    periodic = checks.boolean("periodic", periodic)
    if periodic and window in ALWAYS_SYMMETRIC:
        raise checks.fail("periodic", f"False for window={window!r}", periodic, "Leave it out.")
    if window in ENDS_AT_ZERO and not periodic and length < 3:
        raise checks.fail(
            "win_length", f"at least 3 for a symmetric window={window!r}, whose first and last values are 0", length
        )
    if values["remove_dc_offset"] and length < 2:
        raise checks.fail("win_length", "at least 2 with remove_dc_offset=True, which would leave only zeros", length)
    return {"window": window, "periodic": periodic}


def _spectrum(values: Mapping[str, Any]) -> dict[str, Any]:
    power = checks.choice("power", checks.real("power", values["power"]), (1.0, 2.0))
    offset = _amount("magnitude_offset", values["magnitude_offset"])
    if offset and power != 1:
        raise checks.fail(
            "magnitude_offset",
            "0 for power=2.0, because it is added under the root of magnitudes",
            offset,
            "Use power=1.0, or log_offset to add to mel values.",
        )
    return {"power": power, "magnitude_offset": offset}


def _bands(values: Mapping[str, Any]) -> dict[str, Any]:
    rate, f_max = values["sample_rate"], values["f_max"]
    f_min, f_max = checks.band("f_min", values["f_min"], "f_max", rate / 2 if f_max is None else f_max, rate)
    return {
        "n_mels": filterbanks.check_bands("n_mels", values["n_mels"], values["n_fft"] // 2 + 1),
        "f_min": f_min,
        "f_max": f_max,
        "mel_scale": checks.choice("mel_scale", values["mel_scale"], ("htk", "slaney")),
        "mel_norm": checks.choice("mel_norm", values["mel_norm"], (None, "slaney")),
        "mel_triangles": checks.choice("mel_triangles", values["mel_triangles"], ("hertz", "mel")),
    }


def _logarithm(values: Mapping[str, Any]) -> dict[str, Any]:
    log = checks.choice("log", values["log"], (*LOGS, None))
    floor, top_db = values["log_floor"], values["top_db"]
    offset = _amount("log_offset", values["log_offset"], SMALLEST_LOG_OFFSET)
    factor = checks.real(
        "log_factor", values["log_factor"], minimum=checks.SMALLEST_FLOAT32, maximum=checks.LARGEST_FLOAT32
    )
    if log is None:
        for name, value, default in (
            ("log_floor", floor, None),
            ("log_factor", factor, 1.0),
            ("log_offset", offset, 0.0),
        ):
            _must_be(name, value, default, f"{default} for log=None", "Choose log='ln', 'log10' or 'db'.")
    if offset:
        _must_be("log_floor", floor, None, f"None with log_offset={offset:g}", "Use one of the two against log(0).")
    elif log is not None:
        floor = LOG_FLOOR if floor is None else floor
        floor = checks.real("log_floor", floor, minimum=checks.SMALLEST_FLOAT32, maximum=checks.LARGEST_FLOAT32)
        if not checks.SMALLEST_FLOAT32 <= factor * floor <= checks.LARGEST_FLOAT32:
            raise checks.fail(
                "log_factor",
                f"such that log_factor * log_floor is {checks.SMALLEST_FLOAT32:g} to {checks.LARGEST_FLOAT32:g}",
                factor,
                f"log_floor is {floor:g}.",
            )
    if log == DECIBEL and values["power"] != 2:
        raise checks.fail(
            "log",
            "'ln', 'log10' or None for power=1.0, because decibels are of powers",
            log,
            "For 20 * log10 of magnitudes, use log='log10' and scale_value=0.05.",
        )
    if top_db is not None:
        if log != DECIBEL:
            raise checks.fail("top_db", "None unless log='db'", top_db, "Choose log='db', or leave top_db out.")
        top_db = checks.real("top_db", top_db, above=0, maximum=checks.LARGEST_FLOAT32)
        advice = "Use log_floor with top_db, as librosa.power_to_db does."
        for name, value, default in (("log_offset", offset, 0.0), ("log_factor", factor, 1.0)):
            _must_be(name, value, default, f"{default} with top_db", advice)
        if floor > 1:  # decibels of the layer are relative to a higher floor
            raise checks.fail("log_floor", "at most 1 with top_db", floor, "Lower it, or leave top_db out.")
    return {"log": log, "log_floor": floor, "log_factor": factor, "log_offset": offset, "top_db": top_db}


def _normalization(values: Mapping[str, Any]) -> dict[str, Any]:
    normalization = checks.choice("normalization", values["normalization"], ("clip", None))
    ddof = checks.choice("ddof", checks.integer("ddof", values["ddof"]), (0, 1))
    checked = {name: _amount(name, values[name]) for name in ("std_epsilon", "variance_epsilon")} | {"ddof": ddof}
    if normalization is None:
        for name, value in checked.items():
            _must_be(name, value, 0, "0 without normalization", "Set normalization='clip'.")
    elif values["short_clips"] == "pad":
        raise checks.fail(
            "normalization",
            "None if short clips are padded with zeros, which would count as audio",
            normalization,
            "Use fixed_frames instead of clip_seconds, which pads after the normalization, or short_clips='repeat'.",
        )
    scale = checks.real("scale_value", values["scale_value"], minimum=1 / LARGEST_VALUE, maximum=LARGEST_VALUE)
    center = _shift("center_value", values["center_value"], scale)
    return {"normalization": normalization, **checked, "center_value": center, "scale_value": scale}


def _rows(values: Mapping[str, Any]) -> dict[str, Any]:
    bands = values["n_mels"]
    stacked = checks.count_of("stack_frames", values["stack_frames"], f"a row of {bands} bins per frame", bands)
    masked = checks.integer("masked_frames", values["masked_frames"], minimum=0)
    if masked:
        checks.count_of("masked_frames", masked, f"a feature of {bands} bins", bands)
    fixed, padding = values["fixed_frames"], values["padding_value"]
    if fixed is not None:
        fixed = checks.count_of("fixed_frames", fixed, f"a feature of {bands * stacked} bins", bands * stacked)
    if padding is not None:
        padding = _shift("padding_value", padding, values["scale_value"])
    if values["clip_seconds"] is not None:
        frames = edge_framing(values).n_frames(clip_samples(values["clip_seconds"], values["sample_rate"]))
        if frames < stacked + masked:
            raise checks.fail(
                "clip_seconds",
                f"long enough for a row of {stacked + masked} frames (stack_frames={stacked}, masked_frames={masked})",
                values["clip_seconds"],
                f"It has {frames} frames.",
            )
    return {"stack_frames": stacked, "fixed_frames": fixed, "masked_frames": masked, "padding_value": padding}


def _amount(name: str, value: Any, least: float = checks.SMALLEST_FLOAT32) -> float:
    """Returns a number that is added where 0 means nothing: 0, or at least `least`."""
    amount = checks.real(name, value, minimum=0, maximum=checks.LARGEST_FLOAT32)
    if 0 < amount < least:
        raise checks.fail(name, f"0 or at least {least:g}", value)
    return amount


def _shift(name: str, value: Any, scale: float) -> float:
    """Returns a number that the affine step subtracts or is applied to, so that float32 holds its result."""
    number = checks.real(name, value)
    if number and not all(1 / LARGEST_VALUE <= size <= LARGEST_VALUE for size in (abs(number), abs(number) / scale)):
        divided = "" if scale == 1 else f", also divided by scale_value={scale:g}"
        raise checks.fail(name, f"0, or {1 / LARGEST_VALUE:g} to {LARGEST_VALUE:g} in size{divided}", value)
    return number


def _must_be(name: str, value: Any, only: Any, expected: str, advice: str) -> None:
    """Raises an error unless the value is the only one that other arguments allow."""
    if value != only:
        raise checks.fail(name, expected, value, advice)
