"""Conversion of decoded samples to a number of channels and a sample rate: mixdown, then resampling with soxr."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import soxr

from audiopipe import checks
from audiopipe.audio.remarks import Remark, warn_about
from audiopipe.errors import AudioError
from audiopipe.wording import noun_of

BLOCK_SAMPLES = 1 << 20
CACHED_SAMPLES = 1 << 16  # mixed down or resampled at once, so that they stay in the processor's cache
# No recording exceeds these limits. A damaged header can, and would keep the resampler busy or fill the memory.
HIGHEST_RATE = 10_000_000
MAX_UPSAMPLING = 1000

SILENT_PEAK = 2**-15  # one step of 16 bits
# Larger than in any recording, with samples in the range of 32-bit integers too. Powers of samples that are a hundred
# times as large are infinite in float32. Bits that a disk or a network flipped make floating-point samples this large.
LARGEST_SAMPLE = 2.0**36
FIRST_LOOK = 1 << 12  # samples, which are enough for most clips
CANCELLED = 1e-3  # a mixdown that is 60 dB below its channels was audible before


def joined(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Returns consecutive blocks as one array. At least one block is required."""
    blocks = list(blocks)
    return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]


def convert_blocks(
    decoded: Iterable[tuple[np.ndarray, int]],
    *,
    sample_rate: int,
    channels: int | None,
    resampler_quality: str,
    channel: int | None = None,
    name: str | None = None,
    on_remark: Callable[[Remark], None] | None = None,
) -> Iterator[np.ndarray]:
    """Converts decoded blocks to a number of channels and a sample rate, as `read` does.

    Args:
        decoded: Consecutive blocks, float32 `[time, channels]`, each with its sample rate in hertz.
        sample_rate: As in `read`.
        channels: As in `read`.
        resampler_quality: As in `read`.
        channel: As in `read`.
        name: Name of the source in error messages. If None, they do not name it.
        on_remark: As in `read`.

    Yields:
        As in `read_blocks`.

    Raises:
        AudioError: As in `read_blocks`.
        ArgumentError: As in `read_blocks`.
    """
    return convert_parts(
        [decoded],
        sample_rate=sample_rate,
        channels=channels,
        resampler_quality=resampler_quality,
        channel=channel,
        name=name,
        on_remark=on_remark,
    )


def convert_parts(
    parts: Iterable[Iterable[tuple[np.ndarray, int]]],
    *,
    sample_rate: int,
    channels: int | None,
    resampler_quality: str,
    channel: int | None = None,
    name: str | None = None,
    on_remark: Callable[[Remark], None] | None = None,
) -> Iterator[np.ndarray]:
    """Converts the parts of a clip, which may differ in rate and channels, each on its own.

    Args:
        parts: Consecutive parts of the clip, each as in `convert_blocks`. A part is converted before the next one is
            requested.
        sample_rate: As in `convert_blocks`.
        channels: As in `convert_blocks`.
        resampler_quality: As in `convert_blocks`.
        channel: As in `convert_blocks`.
        name: As in `convert_blocks`.
        on_remark: As in `convert_blocks`.

    Yields:
        As in `convert_blocks`.

    Raises:
        AudioError: As in `convert_blocks`, and if all channels are to be kept, but the parts differ in their number.
        ArgumentError: As in `convert_blocks`.
    """
    if channel is not None:
        checks.integer("channel", channel, minimum=0)
        if channels != 1:
            raise checks.fail("channels", f"1 with channel={channel}, which leaves one channel", channels)
    where = "" if name is None else f"{name}: "
    clip = _Conversion(sample_rate, channels, channel, resampler_quality, where)
    for part in parts:
        yield from clip.part(part)
    if clip.received == 0:
        raise AudioError(f"{where}The audio has no samples.", stage="decode")
    if clip.mixed_peak <= SILENT_PEAK and clip.mixed_peak < CANCELLED * clip.peak:
        text = "the channels cancel each other, so the mixdown to one channel is silent"
        (on_remark or warn_about(name))(Remark("decode", text))
    if clip.made == 0:
        raise AudioError(
            f"{where}The audio is too short to resample. Received: {clip.received} "
            f"{noun_of(clip.received, 'sample')} at {clip.rate} Hz. At {sample_rate} Hz, there is none.",
            stage="resample",
        )


class _Conversion:
    """Conversion of one clip, and what was seen of it."""

    def __init__(self, sample_rate: int, channels: int | None, channel: int | None, resampler_quality: str, where: str):
        self.sample_rate, self.channels, self.resampler_quality = sample_rate, channels, resampler_quality
        self.channel = channel
        self.where = where
        self.received = self.made = self.rate = 0
        self.seconds = 0.0
        self.mixed_peak = self.peak = 0.0
        self.width: int | None = None

    def part(self, decoded: Iterable[tuple[np.ndarray, int]]) -> Iterator[np.ndarray]:
        """Yields the converted blocks of one part."""
        resampler = None
        samples, begin = None, self.seconds
        received = 0
        for samples, self.rate in decoded:
            samples = self._checked(samples, begin + received / max(1, self.rate))
            received += len(samples)
            self.received += len(samples)
            if self.rate == self.sample_rate:
                blocks: Iterable[np.ndarray] = [np.ascontiguousarray(samples)]
            else:
                resampler = resampler or _resampler(
                    self.rate, self.sample_rate, samples.shape[1], self.resampler_quality, self.where
                )
                # Upsampling turns few samples into many, so the step also limits the size of the result to a block.
                limit = min(CACHED_SAMPLES, BLOCK_SAMPLES * self.rate // self.sample_rate)
                step = max(1, limit // samples.shape[1])
                pieces = (samples[start : start + step] for start in range(0, len(samples), step))
                blocks = (resampler.resample_chunk(without_inaudible(piece)) for piece in pieces)
            for block in blocks:
                self.made += len(block)
                if len(block):
                    yield block
        self.seconds += received / max(1, self.rate)
        if resampler is not None and samples is not None:
            block = resampler.resample_chunk(without_inaudible(samples[:0]), last=True)
            self.made += len(block)
            if len(block):
                yield block

    def _checked(self, samples: np.ndarray, seconds: float) -> np.ndarray:
        """Returns a block with the right number of channels, and raises the errors about it."""
        where = self.where
        if self.rate > HIGHEST_RATE:
            raise AudioError(
                f"{where}The sample rate must be at most {HIGHEST_RATE} Hz. Received: {self.rate} Hz. The header is "
                "damaged.",
                stage="decode",
            )
        if self.channel is not None:
            samples, self.mixed_peak = pick_channel(samples, self.channel, where), np.inf
        elif self.channels == 1:
            separate, samples = samples, mix_down(samples)
            # One audible sample is enough, so only the beginning of most clips is examined.
            if separate.shape[1] > 1 and self.mixed_peak <= SILENT_PEAK:
                self.mixed_peak = max(self.mixed_peak, _peak(samples[:FIRST_LOOK]))
                if self.mixed_peak <= SILENT_PEAK:
                    self.mixed_peak = max(self.mixed_peak, _peak(samples))
                    self.peak = max(self.peak, _peak(separate))
            elif separate.shape[1] == 1:
                self.mixed_peak = np.inf  # nothing can cancel
        elif self.channels is not None and samples.shape[1] != self.channels:
            raise AudioError(
                f"{where}The config requires {self.channels} channels. Received: {samples.shape[1]}. Set channels=1 in "
                "the config to mix down, or channels=None to keep all channels.",
                stage="decode",
            )
        elif self.width is not None and samples.shape[1] != self.width:
            raise AudioError(
                f"{where}The file consists of parts with {self.width} and {samples.shape[1]} channels, so not all "
                "channels can be kept. Set channels=1 in the config to mix down.",
                stage="decode",
            )
        self.width = samples.shape[1]
        if not -LARGEST_SAMPLE <= samples.min(initial=0) <= samples.max(initial=0) <= LARGEST_SAMPLE:  # or NaN
            first = int(np.flatnonzero(~(np.abs(samples) <= LARGEST_SAMPLE).all(axis=1))[0])
            expected = (
                f"samples of at most {LARGEST_SAMPLE:.3g}" if np.isfinite(samples[first]).all() else "finite samples"
            )
            raise AudioError(
                f"{where}The audio must have {expected}. Received: {samples[first].tolist()} at "
                f"{seconds + first / self.rate:.3f} s.",
                stage="decode",
            )
        return samples


def pick_channel(samples: np.ndarray, channel: int, where: str) -> np.ndarray:
    """Returns one channel of decoded samples `[time, channels]` as float32 `[time, 1]`, in C order.

    Args:
        samples: float32 `[time, channels]`.
        channel: Number of the channel, from 0.
        where: Start of the error message, which names the source.

    Raises:
        AudioError: If there is no such channel. Its stage is `decode`.
    """
    found = samples.shape[1]
    if channel >= found:
        raise AudioError(
            f"{where}The config picks channel {channel}, and channels count from 0. Received: {found} "
            f"{noun_of(found, 'channel')}. Leave the recording out, or pick a channel that it has.",
            stage="decode",
        )
    return np.ascontiguousarray(samples[:, channel : channel + 1])


def _peak(samples: np.ndarray) -> float:
    return float(max(samples.max(initial=0), -samples.min(initial=0)))


def mix_down(samples: np.ndarray) -> np.ndarray:
    """Computes the mean over the channels.

    The channels are added from first to last, then the sum is multiplied by the rounded reciprocal of their number.
    This order is part of the definition, and `audiopipe.signal.ops.mix_down` has the same order in TensorFlow. If there
    are several channels, samples below 2**-63 are replaced by zero first; see `without_inaudible`.

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
    """Replaces samples below 2**-63, which is 380 dB below full scale, by zero.

    Arithmetic on subnormal numbers gives different bits in a Python function of a `tf.data` map than elsewhere. This
    replacement comes before any arithmetic, so that no result is subnormal.

    Args:
        samples: float32 `[time, channels]`.

    Returns:
        Array of the same shape, in C order. It is `samples` itself if that is in C order and nothing is replaced.
    """
    limit = np.float32(checks.QUIETEST_SAMPLE)
    inaudible = samples < limit
    inaudible &= samples > -limit
    n_inaudible = np.count_nonzero(inaudible)
    # Usually all of them are already zero, as in digital silence. This test takes a seventh of the time of replacing.
    if n_inaudible and n_inaudible > samples.size - np.count_nonzero(samples.view(np.int32)):
        # Multiplying the bits is faster than `np.where` if some samples are zero, and it cannot give -0.0.
        samples = (samples.view(np.int32) * ~inaudible).view(np.float32)
    return np.ascontiguousarray(samples)


def _resampler(rate: int, sample_rate: int, channels: int, quality: str, where: str) -> soxr.ResampleStream:
    """Returns a resampler for blocks, whose output has the bits of `soxr.resample` over all samples at once."""
    if rate * MAX_UPSAMPLING < sample_rate:
        raise AudioError(
            f"{where}The sample rate must be at least 1/{MAX_UPSAMPLING} of the config's {sample_rate} Hz. "
            f"Received: {rate} Hz. The header is damaged, or the config is not meant for such recordings.",
            stage="resample",
        )
    try:
        return soxr.ResampleStream(rate, sample_rate, channels, dtype="float32", quality=quality)
    except (ValueError, RuntimeError) as error:
        raise AudioError(
            f"{where}Could not resample from {rate} Hz to {sample_rate} Hz: {error}", stage="resample"
        ) from error
