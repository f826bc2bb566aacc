"""Train a classifier on a feature set, from audio files to a model that takes raw audio.

    python examples/train_from_features.py OUTPUT

The example synthesises its corpus: short sounds of four classes, "spoken" by twelve speakers who differ in pitch and in
background noise. It precomputes log-mel features and splits the clips by speaker. The statistics of the training clips
normalize the features of both splits while they are read. It trains on buckets of clips of similar length, and saves a
model that computes its own normalized features. The classifier records the feature that it was trained on, so it
refuses any other. At the end, the saved model must predict from the audio files what the classifier predicts from the
stored features.
"""

import csv
import sys
from pathlib import Path

import keras
import numpy as np
import soundfile
from keras import ops

from audiopipe import FeatureCheck, FeatureSet, Transform, beam, configs, layers, load, load_model, tfdata

RATE = 16000
CLASSES = ["falling", "pulsing", "rising", "steady"]
SPEAKERS = 12
CLIPS_PER_CLASS = 5  # of each speaker
CONFIG = configs.MelSpectrogram(
    sample_rate=RATE, n_fft=512, hop_length=160, n_mels=40, return_decibel=True, input_data_format="channels_last"
)
MAX_FRAMES = 2000  # of a batch, padding included
EPOCHS = 8


def sound(draw: np.random.Generator, label: str, pitch: float, noise: float) -> np.ndarray:
    """Returns a sound of 0.4 to 1.2 seconds at a speaker's pitch in hertz, in a speaker's noise."""
    time = np.arange(int(draw.uniform(0.4, 1.2) * RATE)) / RATE
    octaves = {"rising": 2.0, "falling": -2.0}.get(label, 0.0)
    frequency = pitch * draw.uniform(0.9, 1.1) * 2 ** (octaves * (time / time[-1] - 0.5))
    tone = np.sin(2 * np.pi * np.cumsum(frequency) / RATE)
    if label == "pulsing":
        tone *= np.sin(2 * np.pi * draw.uniform(6, 9) * time) > 0
    return draw.uniform(0.05, 0.5) * (tone + noise * draw.standard_normal(len(time)))


def write_corpus(folder: Path) -> Path:
    """Writes audio files and a manifest with a class and a speaker for each. Returns the path of the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "speaker"])
        for speaker in range(SPEAKERS):
            pitch, noise = draw.uniform(400, 1600), draw.uniform(0.01, 0.1)
            for label in CLASSES * CLIPS_PER_CLASS:
                name = f"{speaker:02d}-{label}-{draw.integers(1 << 32):08x}.flac"
                soundfile.write(folder / name, sound(draw, label, pitch, noise), RATE)
                rows.writerow([name, label, f"speaker {speaker:02d}"])
    return manifest


def batches(sets: FeatureSet, config: configs.Config, *, shuffle: bool = False):
    """Returns batches of clips of similar length: the feature and the mask of its real frames, and the class."""
    dataset = load(sets, config, columns=["label"], shuffle=shuffle, seed=0)  # normalizes the stored features
    dataset = tfdata.bucketed_batch(dataset, MAX_FRAMES, config, mask=True)
    return dataset.map(lambda batch: ((batch["feature"], batch["mask"]), batch["label"]))


def classifier() -> keras.Model:
    """Returns a model of the feature and the mask of its real frames, whose result does not depend on padding."""
    feature = keras.Input((None, CONFIG.n_mels, 1), name="feature")
    mask = keras.Input((None,), dtype="bool", name="mask")
    real = ops.cast(mask[:, :, None, None], "float32")
    # 0 is the mean of every bin.
    hidden = layers.SpecAugment(4, 10, mask_value=0.0, data_format="channels_last", seed=0)(feature) * real
    for _ in range(2):
        hidden = keras.layers.Conv2D(16, (9, 3), padding="same", activation="relu")(hidden) * real
    mean = ops.sum(ops.max(hidden, axis=2), axis=1) / ops.sum(real, axis=(1, 2))
    return keras.Model([feature, mask], keras.layers.Dense(len(CLASSES))(mean))


def with_front_end(trained: keras.Model, config: configs.Config) -> keras.Model:
    """Returns a model of whole clips of raw audio, `[batch, time, channels]`, that computes the feature itself."""
    audio = keras.Input((None, 1), name="audio")
    feature = config.layer()(audio)
    mask = ops.ones_like(feature[..., 0, 0], dtype="bool")
    return keras.Model(audio, trained([feature, mask]))


def main() -> float:
    """Runs the example and returns the accuracy on speakers that the model has not heard."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "training")
    manifest = write_corpus(output / "corpus")
    beam.precompute(manifest, output / "features", CONFIG, class_columns=["label"], overwrite=True)
    sets = FeatureSet(output / "features")
    parts = sets.split({"train": 0.7, "test": 0.3}, by="speaker", seed=2)
    print({name: f"{len(part)} clips" for name, part in parts.items()}, sets.class_names("label"))
    config = CONFIG.normalized(parts["train"].statistics)  # the test speakers must not take part in it

    keras.utils.set_random_seed(0)
    train, test = batches(parts["train"], config, shuffle=True), batches(parts["test"], config)
    model = config.stamp_model(classifier())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    resume = [keras.callbacks.BackupAndRestore(output / "backup"), tfdata.ResumeEpochs(train)]
    callbacks = [FeatureCheck(parts["train"].normalized(config)), *resume]
    history = model.fit(train, epochs=EPOCHS, shuffle=False, callbacks=callbacks, verbose=0).history["loss"]
    accuracy = model.evaluate(test, verbose=0, return_dict=True)["accuracy"]
    print(f"loss {history[0]:.2f} .. {history[-1]:.2f}, accuracy {accuracy:.2f} on new speakers")
    assert accuracy > 0.7, "The accuracy must be far above chance, which is 0.25."

    with_front_end(model, config).save(output / "model.keras")
    saved, mel = load_model(output / "model.keras"), Transform(config)
    for clip in parts["test"].normalized(config):
        feature = clip["feature"][None]
        stored = model([feature, np.ones(feature.shape[:2], bool)])
        raw = saved(mel.read(output / "corpus" / clip["id"])[None])
        assert np.array_equal(raw, stored), f"The predictions of {clip['id']} must be equal."
    print(f"The saved model predicts the same from {len(parts['test'])} audio files as from stored features.")
    return accuracy


if __name__ == "__main__":
    main()
