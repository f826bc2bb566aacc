"""Example with a Hugging Face dataset: map and cache features, then train a classifier on them.

    python examples/huggingface.py OUTPUT

The example creates its own dataset, with FLAC bytes and labels in a Parquet file as on the Hub. Every clip is a rising,
falling or steady tone in noise. Keras trains on padded batches. torch does so too if it is installed.
"""

import importlib.util
import io
import sys
import time
from pathlib import Path

import datasets
import keras
import numpy as np
import soundfile

from audiopipe import Transform, fingerprint_of, hf, load, registry

CONFIG = "speech-mel-80"
RATE = 16000
LABELS = ["falling", "rising", "steady"]
CLIPS = 180
EPOCHS = 4
BATCH_SIZE = 12


def sound(draw: np.random.Generator, label: str) -> bytes:
    """Returns the bytes of a FLAC file with a tone of half a second to a second."""
    samples = int(draw.uniform(0.5, 1.0) * RATE)
    middle, width = draw.uniform(1000, 3000), draw.uniform(0.3, 0.6)
    slope = {"falling": -width, "rising": width, "steady": 0.0}[label]
    frequency = middle * (1 + slope * np.linspace(-1, 1, samples))
    tone = 0.3 * np.sin(2 * np.pi * np.cumsum(frequency) / RATE)
    file = io.BytesIO()
    soundfile.write(file, tone + 0.01 * draw.standard_normal(samples), RATE, format="FLAC")
    return file.getvalue()


def write_parquet(path: Path) -> None:
    """Writes a dataset as on the Hub: a Parquet file with encoded audio and labels."""
    draw = np.random.default_rng(0)
    names = [LABELS[number % len(LABELS)] for number in range(CLIPS)]
    columns = {
        "audio": [{"bytes": sound(draw, name), "path": f"{number}.flac"} for number, name in enumerate(names)],
        "label": [LABELS.index(name) for name in names],
    }
    rows = datasets.Dataset.from_dict(columns).cast_column("label", datasets.ClassLabel(names=LABELS))
    rows.cast_column("audio", datasets.Audio()).to_parquet(path)


def train_keras(train: datasets.Dataset, test: datasets.Dataset) -> float:
    """Trains a classifier on padded batches and returns its accuracy."""

    def batches(rows: datasets.Dataset, shuffle: bool = False):
        made = hf.to_tf_dataset(rows, batch_size=BATCH_SIZE, shuffle=shuffle, seed=0)
        return made.map(lambda batch: (batch["feature"], batch["label"]))

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((None, 80)),
            keras.layers.Rescaling(1 / 25, offset=1),
            keras.layers.Conv1D(32, 5, strides=2, activation="relu"),
            keras.layers.Conv1D(32, 5, strides=2, activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dense(len(LABELS)),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    history = model.fit(batches(train, shuffle=True), epochs=EPOCHS, shuffle=False, verbose=0).history["loss"]
    print("Keras: loss", " ".join(f"{value:.3f}" for value in history))
    return model.evaluate(batches(test), verbose=0, return_dict=True)["accuracy"]


def train_torch(train: datasets.Dataset, test: datasets.Dataset) -> float:
    """Trains a similar classifier with torch and returns its accuracy."""
    import torch
    from torch import nn

    padding = registry.get(CONFIG).padding

    def padded(rows):
        features = nn.utils.rnn.pad_sequence([row["feature"] for row in rows], True, padding_value=padding)
        return features.transpose(1, 2) / 25 + 1, torch.stack([row["label"] for row in rows])

    torch.manual_seed(0)
    layers = nn.Conv1d(80, 32, 5, 2), nn.ReLU(), nn.Conv1d(32, 32, 5, 2), nn.ReLU(), nn.AdaptiveMaxPool1d(1)
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(32, len(LABELS)))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    loader = torch.utils.data.DataLoader(train.with_format("torch"), BATCH_SIZE, shuffle=True, collate_fn=padded)
    for _ in range(EPOCHS):
        losses = []
        for features, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(features), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"torch: loss {np.mean(losses):.3f}")
    with torch.no_grad():
        features, labels = padded(list(test.with_format("torch")))
        return (model(features).argmax(1) == labels).float().mean().item()


def main() -> None:
    """Runs the example."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "huggingface")
    output.mkdir(parents=True, exist_ok=True)
    datasets.disable_progress_bars()
    parquet = output / "tones.parquet"
    write_parquet(parquet)
    rows = datasets.load_dataset("parquet", data_files=str(parquet), split="train", cache_dir=str(output / "cache"))
    print(f"{len(rows)} rows of {parquet.stat().st_size / 1e6:.1f} MB, audio: {rows.features['audio']}")

    mel = Transform(CONFIG)
    for what in ("computed", "from the cache"):
        began = time.perf_counter()
        mapped = hf.map(rows, mel)
        print(f"hf.map, {what}: {time.perf_counter() - began:.2f} s")
    print(f"feature: {mapped.features['feature']}, fingerprint {fingerprint_of(mapped).fingerprint[:12]}")

    split = mapped.train_test_split(test_size=0.2, seed=0)
    print(f"Keras: accuracy {train_keras(split['train'], split['test']):.2f}")
    if importlib.util.find_spec("torch"):
        print(f"torch: accuracy {train_torch(split['train'], split['test']):.2f}")

    feature_set = hf.to_feature_set(mapped, output / "features", overwrite=True)
    print(f"feature set: {feature_set.counts['clips']} clips, {feature_set.counts['frames']} frames")
    first, row = next(load(output / "features", CONFIG).as_numpy_iterator()), mapped.with_format("numpy")[0]
    print("Every bit agrees." if np.array_equal(first["feature"][..., 0], row["feature"]) else "Bits differ.")


if __name__ == "__main__":
    main()
