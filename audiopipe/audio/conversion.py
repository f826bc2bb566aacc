"""Decoded samples -> a number of channels and a sample rate: mix down, then resample with soxr."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from audiopipe import checks
from audiopipe.errors import AudioError

BLOCK_SAMPLES = 1 << 20
CACHED_SAMPLES = 1 << 16  # mixed down or resampled at once: what these work on stays in a processor's cache
# No microphone's rate is beyond these; a header's may be, and would keep the resampler busy, or fill the memory.
HIGHEST_RATE = 10_000_000
GREATEST_UPSAMPLING = 1000


def joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Consecutive blocks, of which there is at least one, as one array."""
    blocks = list(blocks)
    return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]


def convert_blocks(
    decoded: Iterable[tuple[np.ndarray, int]],
    *,
    sample_rate: int,
    channels: int | None,
    resampler_quality: str,
    name: str | None = None,
) -> Iterator[np.ndarray]:
    """Bring decoded samples to a number of channels and a sample rate, block by block, as `read` does.

    Args:
        decoded: Consecutive blocks, float32 `[time, channels]`, each with its samples per second, in hertz.
        sample_rate: As in `read`.
        channels: As in `read`.
        resampler_quality: As in `read`.
        name: What errors call the source, None where they need not name it.

    Yields:
        As in `read_blocks`.

    Raises:
        AudioError: As in `read_blocks`.
    """
    where = "" if name is None else f"{name}: "
    received = made = rate = 0
    resampler = None
    for samples, rate in decoded:
        if rate > HIGHEST_RATE:
            raise AudioError(
                f"{where}The sample rate must be at most {HIGHEST_RATE} Hz. Received: {rate} Hz, of a damaged header.",
                stage="decode",
            )
        if channels == 1:
            samples = mix_down(samples)
        elif channels is not None and samples.shape[1] != channels:
            raise AudioError(
                f"{where}The config requires {channels} channels. Received: {samples.shape[1]}. Set channels=1 in the "
                "config to mix down, or channels=None to keep what there is.",
                stage="decode",
            )
        if not np.isfinite(samples).all():
            first = int(np.flatnonzero(~np.isfinite(samples).all(axis=1))[0])
            raise AudioError(
                f"{where}The audio must hold finite samples. Received: {samples[first].tolist()} at "
                f"{(received + first) / rate:.3f} s.",
                stage="decode",
            )
        received += len(samples)
        if rate == sample_rate:
            blocks: Iterable[np.ndarray] = [np.ascontiguousarray(samples)]
        else:
            resampler = resampler or _resampler(rate, sample_rate, samples.shape[1], resampler_quality, where)
            # At a low rate few samples become many: no more at once than a block has.
            step = max(1, min(CACHED_SAMPLES, BLOCK_SAMPLES * rate // sample_rate) // samples.shape[1])
            pieces = (samples[start : start + step] for start in range(0, len(samples), step))
            blocks = (resampler.resample_chunk(without_inaudible(piece)) for piece in pieces)
        for block in blocks:
            made += len(block)
            if len(block):
                yield block
    if received == 0:
        raise AudioError(f"{where}The audio holds no samples.", stage="decode")
    if resampler is not None:
        block = resampler.resample_chunk(without_inaudible(samples[:0]), last=True)
        made += len(block)
        if len(block):
            yield block
    if made == 0:
        raise AudioError(
            f"{where}Nothing is left of {received} samples at {rate} Hz at {sample_rate} Hz.", stage="resample"
        )


def mix_down(samples: np.ndarray) -> np.ndarray:
    """Mean over the channels: added from the first to the last, then multiplied with the rounded reciprocal.

    The order is part of the definition; `audiopipe.signal.ops.mix_down` is the same computation in TensorFlow. Before
    it, samples below 2**-63 become zero, see `without_inaudible`.

    Args:
        samples: float32 `[time, channels]`.

    Returns:
        float32 `[time, 1]`.
    """
    if samples.shape[1] == 1:
        return samples
    mixed = np.empty((len(samples), 1), np.float32)
    step = max(1, CACHED_SAMPLES // samples.shape[1])
    for start in range(0, len(samples), step):
        piece, total = without_inaudible(samples[start : start + step]), mixed[start : start + step, 0]
        total[:] = piece[:, 0]
        for channel in range(1, samples.shape[1]):
            total += piece[:, channel]
        total *= np.float32(1) / np.float32(samples.shape[1])
    return mixed


def without_inaudible(samples: np.ndarray) -> np.ndarray:
    """Samples with those below 2**-63, 380 dB below full scale, replaced by zero.

    Arithmetic on subnormal numbers gives other bits in a Python function of a `tf.data` map than anywhere else. This
    comes before arithmetic, so that no result is subnormal.

    Args:
        samples: float32 `[time, channels]`.

    Returns:
        An array of the same shape, in C order; the same one if it is and nothing is replaced.
    """
    limit = np.float32(checks.QUIETEST_SAMPLE)
    inaudible = samples < limit
    inaudible &= samples > -limit
    n_inaudible = np.count_nonzero(inaudible)
    # Nearly always all of them are zero as it is, in pauses without noise, which takes a seventh of the time to find.
    if n_inaudible and n_inaudible > samples.size - np.count_nonzero(samples.view(np.int32)):
        # The product of the bits, which cannot be -0.0, is faster than a choice where there are some zeros.
        samples = (samples.view(np.int32) * ~inaudible).view(np.float32)
    return np.ascontiguousarray(samples)


def _resampler(rate: int, sample_rate: int, channels: int, quality: str, where: str) -> soxr.ResampleStream:
    """What resamples block by block, with the bits of `soxr.resample` over all samples at once."""
    if rate * GREATEST_UPSAMPLING < sample_rate:
        raise AudioError(
            f"{where}The sample rate must be at least 1/{GREATEST_UPSAMPLING} of the config's {sample_rate} Hz. "
            f"Received: {rate} Hz. The header is damaged, or the config is not meant for such recordings.",
            stage="resample",
        )
    try:
        return soxr.ResampleStream(rate, sample_rate, channels, dtype="float32", quality=quality)
    except (ValueError, RuntimeError) as error:
        raise AudioError(
            f"{where}Could not resample from {rate} Hz to {sample_rate} Hz: {error}", stage="resample"
        ) from error
