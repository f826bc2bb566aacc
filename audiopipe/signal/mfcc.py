"""Arguments of mel-frequency cepstral coefficients: checks, and values for those that are left out."""

from collections.abc import Mapping
from typing import Any

from audiopipe import checks
from audiopipe.signal import log_mel

# Without "constant", in which zeros beyond the ends of a clip change even the derivatives of silence.
DELTA_MODES = ("edge", "interp", "symmetric", "reflect")


def resolve(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the arguments of cepstral coefficients and fills in those that are None.

    Args:
        arguments: The fields of `audiopipe.configs.Mfcc` that describe the computation. Others are ignored.

    Returns:
        The checked arguments, in their canonical types, with those of `log_mel.resolve`.

    Raises:
        ArgumentError: If an argument is out of range or contradicts another one.
    """
    values = log_mel.resolve(arguments)
    if values["log"] is None:
        raise checks.fail("log", "'ln', 'log10' or 'db', because a cepstrum is that of logarithms", None)
    coefficients = _coefficients(arguments, values["n_mels"])
    return values | coefficients | _deltas(arguments, coefficients["n_mfcc"])


def _coefficients(arguments: Mapping[str, Any], n_mels: int) -> dict[str, Any]:
    n_mfcc = checks.integer("n_mfcc", arguments["n_mfcc"], minimum=1)
    if n_mfcc > n_mels:
        raise checks.fail("n_mfcc", f"at most n_mels={n_mels}", n_mfcc, "Raise n_mels or lower n_mfcc.")
    checks.count_of("n_mfcc", n_mfcc, f"a cosine transform of {n_mels} bands", n_mels)
    lifter = checks.real("lifter", arguments["lifter"], minimum=0, maximum=log_mel.LARGEST_VALUE)
    liftering = arguments["liftering"]
    if lifter:
        liftering = checks.choice("liftering", "librosa" if liftering is None else liftering, ("librosa", "kaldi"))
    elif liftering is not None:
        raise checks.fail("liftering", "None without lifter", liftering, "Set lifter, for example to 22.")
    return {
        "n_mfcc": n_mfcc,
        "dct_norm": checks.choice("dct_norm", arguments["dct_norm"], ("ortho", "htk")),
        "lifter": lifter,
        "liftering": liftering,
    }


def _deltas(arguments: Mapping[str, Any], n_mfcc: int) -> dict[str, Any]:
    deltas = checks.choice("deltas", checks.integer("deltas", arguments["deltas"]), (0, 1, 2))
    width, mode = arguments["delta_width"], arguments["delta_mode"]
    if deltas == 0:
        for name, value in (("delta_width", width), ("delta_mode", mode)):
            if value is not None:
                raise checks.fail(name, "None without deltas", value, "Set deltas to 1 or 2.")
        return {"deltas": 0, "delta_width": None, "delta_mode": None}
    width = 5 if width is None else checks.integer("delta_width", width, minimum=3)
    checks.count_of("delta_width", width, f"a stretch of {n_mfcc} coefficients", n_mfcc)
    if width % 2 == 0:
        raise checks.fail("delta_width", "odd, so that it has a middle frame", width)
    mode = checks.choice("delta_mode", "edge" if mode is None else mode, DELTA_MODES)
    return {"deltas": deltas, "delta_width": width, "delta_mode": mode}
