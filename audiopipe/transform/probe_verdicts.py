"""Comparison of what two machines computed from the probe files."""

import decimal
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from audiopipe.configs.base import Config
from audiopipe.transform.probe_records import STEPS, ProbedFile, ProbeRecord

_CAUSES = {"decoded": "the decoder differs", "samples": "the resampler differs", "feature": "the layer differs"}
_ROUNDED_UP = decimal.Context(prec=2, rounding=decimal.ROUND_UP)  # "at most" must be true of the number that is shown


@dataclass(frozen=True, kw_only=True)
class FileVerdict:
    """How the features of one probe file compare.

    Args:
        name: Name of the file.
        step: The first step with other bits, of `audiopipe.transform.probe_records.STEPS`. None if all bits agree.
        max_difference: Largest absolute difference of two values of the feature. It is 0 if only samples differ, or
            only values of the feature that were not recorded. It is infinite if the shape differs, or NaN is elsewhere.
        largest: Largest absolute value of the feature.
    """

    name: str
    step: str | None
    max_difference: float = 0.0
    largest: float = 0.0

    @property
    def text(self) -> str:
        """What to say about the file.

        Example:
            >>> FileVerdict(name="voice.flac", step="feature", max_difference=2.41e-6, largest=3.0).text
            'the layer differs, the feature by at most 2.5e-06'
        """
        if self.step is None:
            return "every bit agrees"
        return f"{_CAUSES[self.step]}, the feature {_amount(self.max_difference)}"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether two machines compute the same feature, and if not, how much it differs.

    Args:
        files: The comparison of each probe file.
        decibels_per_unit: As in `audiopipe.configs.base.Config`.

    Example:
        >>> file = FileVerdict(name="voice.flac", step="feature", max_difference=2.41e-6, largest=3.0)
        >>> verdict = Verdict(files=(file,), decibels_per_unit=8.686)
        >>> verdict.agrees, verdict.text
        (False, 'differs here by at most 2.5e-06 (0.000021 dB): the layer differs.')
    """

    files: tuple[FileVerdict, ...]
    decibels_per_unit: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether every bit agrees."""
        return all(file.step is None for file in self.files)

    @property
    def max_difference(self) -> float:
        """Largest absolute difference of two values, over all files."""
        return max((file.max_difference for file in self.files), default=0.0)

    @property
    def decibels(self) -> float | None:
        """`max_difference` in decibels. None if the values of the feature are no logarithms."""
        return None if self.decibels_per_unit is None else self.max_difference * self.decibels_per_unit

    @property
    def text(self) -> str:
        """What to say about a feature: its bits agree, or it differs by at most so much, in which files, and why."""
        if self.agrees:
            return "has the same bits here."
        parts = []
        for step in dict.fromkeys(file.step for file in self.files if file.step is not None):
            names = [file.name for file in self.files if file.step == step]
            cause = _CAUSES[step]
            parts.append(cause if len(names) == len(self.files) else f"{cause} for {_joined(names)}")
        agreeing = [file.name for file in self.files if file.step is None]
        if agreeing:
            parts.append(f"every bit agrees for {_joined(agreeing)}")
        return f"{self._amount()}: {', '.join(parts)}."

    def _amount(self) -> str:
        amount = f"differs here {_amount(self.max_difference)}"
        if self.max_difference == 0 or not np.isfinite(self.max_difference):
            return amount
        if self.decibels is not None:
            return f"{amount} ({_positional(self.decibels)} dB)"
        share = _rounded(self.max_difference / max(file.largest for file in self.files))
        return f"{amount} ({share:g} of its largest value)"


def compare(there: ProbeRecord, here: ProbeRecord, config: Config) -> Verdict | None:
    """Compares two records of probes of one feature.

    Args:
        there: What another machine computed.
        here: What this machine computed.
        config: Config of the feature.

    Returns:
        The verdict, or None if the records are of other features or other files, so that they cannot be compared.
    """
    if there.fingerprint != here.fingerprint or there.files.keys() != here.files.keys():
        return None
    files = tuple(_compare(name, there.files[name], file) for name, file in here.files.items())
    return Verdict(files=files, decibels_per_unit=config.decibels_per_unit)


def _compare(name: str, there: ProbedFile, here: ProbedFile) -> FileVerdict:
    step = next((step for step in STEPS if there.digests[step] != here.digests[step]), None)
    if there.digests["feature"] == here.digests["feature"]:
        # Bits of samples may differ without any consequence for this feature. Then the data is that feature here too.
        return FileVerdict(name=name, step=None)
    difference, largest = np.inf, 0.0
    if there.values.shape == here.values.shape:
        one, other = there.values.astype(np.float64), here.values.astype(np.float64)
        same = (one == other) | (np.isnan(one) & np.isnan(other))  # infinities may be equal
        with np.errstate(invalid="ignore"):
            distances = np.where(same, 0.0, np.abs(one - other))
        difference = float(np.max(np.where(np.isnan(distances), np.inf, distances), initial=0.0))
        largest = max(float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values))) for values in (one, other))
    return FileVerdict(name=name, step=step, max_difference=difference, largest=largest)


def _amount(difference: float) -> str:
    if difference == 0:
        return "in bits that the probe did not record"
    if not np.isfinite(difference):
        return "in its shape, or in where it is not a finite number"
    return f"by at most {_rounded(difference):g}"


def _joined(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _rounded(value: float) -> float:
    """Rounds a positive number up to two digits."""
    return float(_ROUNDED_UP.create_decimal_from_float(value))


def _positional(value: float) -> str:
    """Writes a positive number with two digits and without an exponent, rounded up."""
    return f"{_ROUNDED_UP.create_decimal_from_float(value):f}"
