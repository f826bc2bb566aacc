"""Draws the picture of the landing page and the README: a sentence as a waveform and as a mel spectrogram.

    python docs/images/draw_landing.py

The picture is saved beside this file as `landing.png`.
"""

from pathlib import Path

import matplotlib.pyplot as plt

from audiopipe import Transform, plotting

ROOT = Path(__file__).parents[2]
CONFIG = "speech-mel-80"


def main() -> None:
    """Draws and saves the picture."""
    mel = Transform(CONFIG)
    clip = mel.read(ROOT / "examples" / "audio" / "speech.flac")
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 4.2), sharex=True, height_ratios=[1, 2.5], layout="constrained"
    )
    plotting.plot_clip(clip, mel.config.sample_rate, above, title="A clip and its feature")
    plotting.plot_feature(mel(clip), mel.config, below)
    above.set_xlabel("")
    figure.savefig(Path(__file__).with_name("landing.png"), dpi=150)


if __name__ == "__main__":
    main()
