"""The rule by which a feature agrees with its float64 reference.

- Before the logarithm, a value may differ by 2e-6 of its frame's maximum: float32 allows no more.
- On log scales, a value may differ by 1e-3 (2e-3 dB) where it is less than 80 dB below its frame's maximum. That is
  1e-8 of a maximum of powers, and 1e-4 of a maximum of magnitudes. Values below the logarithm's floor count as it.
- What a front end normalises per clip is judged before that, and afterwards in the bins whose deviation exceeds the
  error of their logarithms, within what this error may become by dividing it. Bins that never change are 0.
- Frames that are padding hold exactly the reference's value, rounded to float32.
"""

import numpy as np

MEL_BOUND = 2e-6
LOG_BOUND = 1e-3
DECIBEL_BOUND = 2e-3
LOG_RANGE = 1e-8


def judge(feature, reference, *, mel=None, log=None):
    """Lists how a feature differs from its reference by more than allowed. An empty list is agreement.

    Args:
        feature: The final feature, `[rows, values]` or `[rows, values, 1]`.
        reference: The `Reference` of the same clip.
        mel: The same front end's values before the logarithm, if they are to be judged.
        log: The same front end's values before normalisation, which judge a normalised feature more closely.

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
        failures += _judge_mel(found["mel"], reference)
    if "log" in found:
        failures += _judge_log("logarithm", found["log"] - reference.log, reference)
    values, padding = reference.frames_of(found["feature"])
    expected_values, expected_padding = reference.frames_of(reference.feature)
    if not np.array_equal(padding.astype(np.float32), expected_padding.astype(np.float32)):
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
    maximum = np.maximum(reference.mel, reference.floor).max(axis=1, keepdims=True, initial=0)
    difference = np.abs(mel - reference.mel)
    return np.divide(difference, maximum, out=np.where(difference > 0, np.inf, 0.0), where=maximum > 0)


def is_loud(reference):
    """Tells which values `[frames, bins]` are less than 80 dB below their frame's maximum."""
    visible = np.maximum(reference.mel, reference.floor)
    return visible > LOG_RANGE ** (reference.power / 2) * visible.max(axis=1, keepdims=True, initial=0)


def log_bound(reference):
    return DECIBEL_BOUND if reference.decibels else LOG_BOUND


def _two_dimensional(values):
    values = np.asarray(values, np.float64)
    return values[..., 0] if values.ndim == 3 else values


def _judge_mel(mel, reference):
    return _worst("before the logarithm, in units of the frame's maximum", mel_error(mel, reference), MEL_BOUND)


def _judge_log(kind, difference, reference):
    if not reference.logarithmic:
        error = mel_error(reference.mel + difference, reference)
        return _worst(f"{kind}, in units of the frame's maximum", error, MEL_BOUND)
    error = np.where(is_loud(reference)[: len(difference)], np.abs(difference), 0)
    unit = "decibels" if reference.decibels else "units of the logarithm"
    return _worst(f"{kind}, in {unit}", error, log_bound(reference))


def _judge_normalized(difference, expected, log, reference):
    bound = log_bound(reference)
    n = reference.n_frames
    if log is None:
        # The errors of values far below the frame's maximum are unknown, so bins that have any say nothing.
        error = np.where(is_loud(reference)[:n].all(axis=0), bound, np.inf)
    else:
        error = np.maximum(bound, np.abs(log - reference.log)[:n].max(axis=0, initial=0))
    gain = np.broadcast_to(reference.gain, error.shape)
    constant = np.ptp(reference.log[:n], axis=0) == 0 if n else np.ones(error.shape, bool)
    error = np.where(constant, 0, error)
    judged = ~constant & (gain * error < 1)
    # Values, the mean and the deviation each move by the error at most.
    relative = gain[judged] * error[judged]
    allowed = (2 + np.abs(expected[:, judged])) * relative / (1 - relative)
    failures = _worst("normalised feature, in units of what it may differ", abs(difference[:, judged]) / allowed, 1.0)
    return failures + _worst("normalised feature in bins that never change", abs(difference[:, constant]), LOG_BOUND)


def _worst(kind, error, bound):
    if error.size == 0 or error.max() <= bound:
        return []
    frame, value = np.unravel_index(error.argmax(), error.shape)
    place = f"at frame {frame}, bin {value}"
    return [f"{kind}: {error.max():.3g} {place}; allowed: {bound:.3g}; {(error > bound).sum()} values exceed it"]
