"""Alternatives to precompute: loops from audio files to features on disk, in one process.

A loop is a function `(paths, output)` that decodes, transforms and writes. `benchmarks.served` runs a loop in a
separate process.
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audiopipe import configs, registry

CONFIG = "speech-mel-80"
Loop = Callable[[list[str], str], None]


def config() -> configs.MelSpectrogram:
    """Returns the config of the feature that all loops except lhotse compute."""
    found = registry.get(CONFIG)
    assert isinstance(found, configs.MelSpectrogram)
    return found


def bare() -> Loop:
    """Returns a loop of soundfile, one graph of the same layers, and `TFRecordWriter`.

    It has no metadata and no checks, does not handle failures and cannot resume.
    """
    import soundfile
    import tensorflow as tf

    layer = config().layer()
    graph = tf.function(lambda samples: layer(samples[None])[0], input_signature=[tf.TensorSpec([None, 1])])

    def run(paths: list[str], output: str) -> None:
        with tf.io.TFRecordWriter(output) as file:
            for path in paths:
                samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
                values = graph(samples).numpy()
                facts = {
                    "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[path.encode()])),
                    "feature": tf.train.Feature(bytes_list=tf.train.BytesList(value=[values.tobytes()])),
                    "shape": tf.train.Feature(int64_list=tf.train.Int64List(value=values.shape)),
                }
                file.write(tf.train.Example(features=tf.train.Features(feature=facts)).SerializeToString())

    return run


def with_librosa() -> Loop:
    """Returns a loop of `librosa.load`, `librosa.feature.melspectrogram`, and one NumPy file per clip."""
    import librosa

    mel = config()

    def run(paths: list[str], output: str) -> None:
        os.makedirs(output)
        for path in paths:
            samples, _ = librosa.load(path, sr=mel.sample_rate)
            magnitudes = librosa.feature.melspectrogram(
                y=samples,
                sr=mel.sample_rate,
                n_fft=mel.n_fft,
                hop_length=mel.framing.hop_length,
                n_mels=mel.n_mels,
                power=1,
                center=False,
            )
            np.save(os.path.join(output, f"{Path(path).stem}.npy"), _decibels(magnitudes.T, mel))

    return run


def with_datasets_and_numpy() -> Loop:
    """Returns a loop of `datasets.Dataset.map` with soundfile and NumPy. Its typed column holds arrays, not lists."""
    import datasets
    import librosa
    import soundfile

    mel = config()
    datasets.disable_progress_bars()
    filters = librosa.filters.mel(sr=mel.sample_rate, n_fft=mel.n_fft, n_mels=mel.n_mels).T
    window = librosa.filters.get_window("hann", mel.n_fft).astype(np.float32)
    features = datasets.Features({"feature": datasets.Array2D((None, mel.n_mels), "float32")})

    def feature(row: dict[str, Any]) -> dict[str, Any]:
        samples, _ = soundfile.read(row["audio"], dtype="float32")
        frames = np.lib.stride_tricks.sliding_window_view(samples, mel.n_fft)[:: mel.framing.hop_length]
        return {"feature": _decibels(np.abs(np.fft.rfft(frames * window)) @ filters, mel)}

    def run(paths: list[str], output: str) -> None:
        rows = datasets.Dataset.from_dict({"audio": paths})
        rows.map(
            feature,
            remove_columns=["audio"],
            features=features,
            writer_batch_size=32,
            cache_file_name=f"{output}.arrow",
        )

    return run


def with_datasets_and_audiopipe() -> Loop:
    """Returns a loop of `audiopipe.hf.map`."""
    import datasets

    from audiopipe import Transform, hf

    datasets.disable_progress_bars()
    transform = Transform(CONFIG)

    def run(paths: list[str], output: str) -> None:
        hf.map(datasets.Dataset.from_dict({"audio": paths}), transform, cache_file_name=f"{output}.arrow")

    return run


def with_lhotse() -> Loop:
    """Returns a loop of lhotse's `CutSet.compute_and_store_features`, with its default storage.

    The feature is Kaldi's filterbank with the same number of bins.
    """
    import lhotse

    mel = config()
    extractor = lhotse.Fbank(lhotse.FbankConfig(num_filters=mel.n_mels))

    def run(paths: list[str], output: str) -> None:
        recordings = lhotse.RecordingSet.from_recordings(map(lhotse.Recording.from_file, paths))
        cuts = lhotse.CutSet.from_manifests(recordings=recordings)
        cuts.compute_and_store_features(extractor, output, num_jobs=1)

    return run


LHOTSE = "lhotse, one job"
LOOPS = {
    "bare": bare,
    "datasets.map, audiopipe.hf": with_datasets_and_audiopipe,
    "datasets.map, NumPy": with_datasets_and_numpy,
    "librosa": with_librosa,
    LHOTSE: with_lhotse,
}
EXACT = ("bare", "datasets.map, audiopipe.hf")


def is_there(name: str) -> bool:
    """Returns whether the library of a loop is installed. lhotse is not a dependency of the project."""
    return name != LHOTSE or importlib.util.find_spec("lhotse") is not None


def read_back(name: str, paths: list[str], output: str) -> list[np.ndarray]:
    """Reads the features `[frames, bins]` that a loop has written, in the order of the clips."""
    if name == "bare":
        import tensorflow as tf

        examples = map(tf.train.Example.FromString, tf.data.TFRecordDataset(output).as_numpy_iterator())
        found = [example.features.feature for example in examples]
        shapes = [entries["shape"].int64_list.value[:2] for entries in found]
        values = [np.frombuffer(entries["feature"].bytes_list.value[0], "<f4") for entries in found]
        return [array.reshape(shape) for array, shape in zip(values, shapes, strict=True)]
    if name == "librosa":
        return [np.load(os.path.join(output, f"{Path(path).stem}.npy")) for path in paths]
    import datasets

    return list(datasets.Dataset.from_file(f"{output}.arrow").with_format("numpy")["feature"])


def _decibels(magnitudes: np.ndarray, mel: configs.MelSpectrogram) -> np.ndarray:
    decibels = 10 * np.log10(np.maximum(magnitudes, mel.db_amin))
    return np.maximum(decibels, decibels.max() - mel.db_dynamic_range).astype(np.float32)
