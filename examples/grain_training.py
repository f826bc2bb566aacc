"""Example with grain: a training that may stop anywhere and continues as if it had not.

    python examples/grain_training.py OUTPUT STEPS

The example makes its own corpus of low and high tones in noise and precomputes their features. Worker processes read
random crops in a shuffled order, which differs in every epoch. The weights and the position in the order are saved
every few steps. Run the example again with more steps: it continues with the crops that would have followed.
"""

import json
import sys
from pathlib import Path

import grain
import numpy as np
import soundfile

from audiopipe import FeatureSet

CONFIG = "speech-mel-80"
RATE = 16000
LABELS = ["high", "low"]
CLIPS = 61
FRAMES = 20  # of a crop
BATCH_SIZE = 8
WORKERS = 2
STEPS_PER_CHECKPOINT = 10


def precompute(output: Path) -> None:
    """Writes the corpus and its features."""
    from audiopipe import beam  # imports TensorFlow, which neither the training nor its workers need

    draw, lines = np.random.default_rng(0), []
    (output / "clips").mkdir(parents=True, exist_ok=True)
    for number in range(CLIPS):
        label = LABELS[number % 2]
        frequency = draw.uniform(300, 900) if label == "low" else draw.uniform(1500, 3000)
        times = np.arange(int(draw.uniform(0.3, 0.6) * RATE)) / RATE
        tone = 0.1 * np.sin(2 * np.pi * frequency * times) + 0.03 * draw.standard_normal(len(times))
        soundfile.write(output / "clips" / f"{number}.flac", tone, RATE)
        lines.append(json.dumps({"path": f"{number}.flac", "label": label}))
    (output / "clips" / "manifest.jsonl").write_text("\n".join(lines))
    beam.precompute(output / "clips" / "manifest.jsonl", output / "features", CONFIG, class_columns=["label"])


class Crop(grain.transforms.RandomMap):
    """Reads a random crop of a clip. No other frames are read."""

    def __init__(self, sets: FeatureSet):
        self.sets = sets
        self.n_frames = sets.metadata["n_frames"].to_numpy()
        self.labels = sets.metadata["label"].to_numpy()

    def random_map(self, number: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Returns the feature `[frames, bins, channels]` and the label."""
        start = int(rng.integers(self.n_frames[number] - FRAMES, endpoint=True))
        feature = self.sets.read(int(number), start=start, stop=start + FRAMES)
        return {"feature": feature, "label": self.labels[number]}


def batches(sets: FeatureSet) -> grain.IterDataset:
    """Returns endless batches. An iterator has `get_state` and `set_state`."""
    crops = grain.MapDataset.range(len(sets)).seed(0).shuffle().repeat().random_map(Crop(sets)).batch(BATCH_SIZE)
    return crops.to_iter_dataset().mp_prefetch(grain.MultiprocessingOptions(num_workers=WORKERS))


def main() -> None:
    """Runs the example."""
    output, steps = Path(sys.argv[1]), int(sys.argv[2])
    if not (output / "features" / "dataset.json").exists():
        precompute(output)
    sets, checkpoint = FeatureSet(output / "features"), output / "checkpoint.json"
    iterator = iter(batches(sets))
    step, weights = 0, np.zeros(sets.config.n_bins)
    if checkpoint.exists():
        saved = json.loads(checkpoint.read_text())
        step, weights = saved["step"], np.array(saved["weights"])
        iterator.set_state(saved["order"])
        print(f"continues after step {step}")
    correct = 0
    while step < steps:
        batch = next(iterator)
        bands = batch["feature"].mean(axis=(1, 3)) / 25 + 1
        is_low = batch["label"] == LABELS.index("low")
        probabilities = 1 / (1 + np.exp(-bands @ weights))
        correct += ((probabilities > 0.5) == is_low).sum()
        weights += 0.1 * (is_low - probabilities) @ bands
        step += 1
        if step % STEPS_PER_CHECKPOINT == 0:
            state = {"step": step, "weights": weights.tolist(), "order": iterator.get_state()}
            part = checkpoint.with_suffix(".tmp")
            part.write_text(json.dumps(state))
            part.replace(checkpoint)
            print(f"step {step}: accuracy {correct / (STEPS_PER_CHECKPOINT * BATCH_SIZE):.2f}")
            correct = 0
    iterator.close()


if __name__ == "__main__":
    main()
