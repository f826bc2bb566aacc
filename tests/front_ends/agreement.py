"""The rule by which a feature agrees with its float64 reference.

- Before the logarithm, a value may differ by 2e-6 of its frame's maximum: float32 allows no more.
- On log scales, a value may differ by 1e-3 (2e-3 dB) where it is less than 80 dB below its frame's maximum. That is
  1e-8 of a maximum of powers, and 1e-4 of a maximum of magnitudes. Values below the logarithm's floor count as it.
- What a front end normalizes per clip is judged before that, and afterwards in the bins whose deviation exceeds the
  error of their logarithms, within what this error may become by dividing it. Bins that never change are 0.
- Frames that are padding hold the reference's value, rounded to float32.

Two things make the rule possible in float32. A frame's maximum is that of its spectrum, which may lie beside the mel
filters: a Fourier transform rounds to the loudest that it sees. And near 80 dB below it, a logarithm may differ by
what half a unit in the last place of the largest amplitude makes of it, at most 1.2e-3 (5.2e-3 dB): NumPy's transform
in float32 differs from float64 by as much.
"""

import numpy as np

MEL_BOUND = 2e-6
LOG_BOUND = 1e-3
DECIBEL_BOUND = 2e-3
LOG_RANGE = 1e-8
ROUNDOFF = 2.0**-24


def judge(feature, reference, *, mel=None, log=None):
    """Lists how a feature differs from its reference by more than allowed. An empty list is agreement.

    Args:
        feature: The final feature, `[rows, values]` or `[rows, values, 1]`.
        reference: The `Reference` of the same clip.
        mel: The same front end's values before the logarithm, if they are to be judged.
        log: The same front end's values before normalization, which judge a normalized feature more closely.

    Returns:
        Sentences that say which bound failed where.
    """
    expected = {"mel": reference.mel, "log": reference.log, "feature": reference.feature}
    found = {"mel": mel, "log": log, "feature": feature}
    found = {kind: _two_dimensional(values) for kind, values in found.items() if values is not None}
    for kind, values in found.items():
        if values.shape != expected[kind].shape:
            return [f"the shape of the {kind} is {values.shape}, expected {expected[kind].shape}"]
    failures = [f"the {kind} has values that are not finite" for kind in found if not np.isfinite(found[kind]).all()]
    if failures:
        return failures
    if "mel" in found:
        error = mel_error(found["mel"], reference)
        failures += _worst("before the logarithm, in units of the frame's maximum", error, MEL_BOUND)
    if "log" in found:
        failures += _judge_log("logarithm", found["log"] - reference.log, reference)
    values, padding = reference.frames_of(found["feature"])
    expected_values, expected_padding = reference.frames_of(reference.feature)
    if not np.allclose(padding, expected_padding, rtol=2 * ROUNDOFF, atol=0):
        failures.append(f"padding is {np.unique(padding)[:4]}, expected {np.unique(expected_padding)[:4]}")
    if reference.normalized:
        failures += _judge_normalized(values - expected_values, expected_values, found.get("log"), reference)
    else:
        failures += _judge_log("feature", (values - expected_values) / reference.gain, reference)
    return failures


def mel_error(mel, reference):
    """Returns the differences before the logarithm in units of each frame's maximum, `[frames, bins]`.

    Below the logarithm's floor or offset nothing can be seen, so a maximum counts as that at least.
    """
    maximum = np.maximum(reference.peak, reference.floor)[:, None]
    difference = np.abs(mel - reference.mel)
    return np.divide(difference, maximum, out=np.where(difference > 0, np.inf, 0.0), where=maximum > 0)


def log_bound(reference):
    """Returns how much values of the logarithm may differ, `[frames, bins]`: without limit where they are too quiet."""
    maximum = np.maximum(reference.peak, reference.floor)[:, None]
    visible = np.maximum(reference.mel, reference.floor)
    below_peak = np.divide(visible, maximum, out=np.ones_like(visible), where=maximum > 0)
    loud = below_peak > LOG_RANGE ** (reference.power / 2)
    amplitudes = np.where(loud, below_peak, 1) ** (1 / reference.power)
    bound = np.maximum(
        DECIBEL_BOUND if reference.decibels else LOG_BOUND,
        reference.log_unit * reference.power * ROUNDOFF / amplitudes,
    )
    return np.where(loud, bound, np.inf)


def _two_dimensional(values):
    values = np.asarray(values, np.float64)
    return values[..., 0] if values.ndim == 3 else values


def _judge_log(kind, difference, reference):
    if not reference.logarithmic:
        error = mel_error(reference.mel + difference, reference)
        return _worst(f"{kind}, in units of the frame's maximum", error, MEL_BOUND)
    unit = "decibels" if reference.decibels else "units of the logarithm"
    return _worst(f"{kind}, in {unit}", np.abs(difference), log_bound(reference)[: len(difference)])


def _judge_normalized(difference, expected, log, reference):
    log_reference = reference.log[: reference.n_frames]
    if log is None:
        error = log_bound(reference)[: reference.n_frames].max(axis=0, initial=0)
    else:
        error = np.maximum(LOG_BOUND, np.abs(log - reference.log)[: reference.n_frames].max(axis=0, initial=0))
    constant = (log_reference == log_reference[:1]).all(axis=0)
    error = np.where(constant, 0, error)
    judged = ~constant & (error * reference.gain < 1)
    relative = (error * reference.gain)[judged]
    # Values, the mean and the deviation each move by the error at most.
    allowed = (2 + np.abs(expected[:, judged])) * relative / (1 - relative)
    return [
        *_worst("normalized feature", np.abs(difference[:, judged]), allowed),
        *_worst("normalized feature in bins that never change", np.abs(difference[:, constant]), LOG_BOUND),
    ]


def _worst(kind, error, bound):
    """Describes the error that is the largest in units of its bound, if any exceeds it."""
    exceeds = error > bound
    if not exceeds.any():
        return []
    bound = np.broadcast_to(bound, error.shape)
    excess = np.divide(error, bound, out=np.zeros_like(error), where=exceeds & (bound > 0))
    worst = np.unravel_index(np.where(exceeds & (bound == 0), np.inf, excess).argmax(), error.shape)
    place = f"at frame {worst[0]}, bin {worst[1]}"
    return [f"{kind}: {error[worst]:.3g} {place}; allowed: {bound[worst]:.3g}; {exceeds.sum()} values exceed it"]
