"""Modes of calling a contender: eager, in a `tf.function`, in `tf.data`, and by `model.predict`."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks import machine
from benchmarks.peers import FLOOR, TORCH, Contender

EAGER, FUNCTION, DATA, PREDICT = "eager", "tf.function", "tf.data", "model.predict"
MODES = (EAGER, FUNCTION, DATA, PREDICT)
CALLS = (EAGER, FUNCTION)
# Seconds of audio per pass through a pipeline or a model. A pass is long because a pipeline takes 30 to 50 ms to start.
PASS_SECONDS = {DATA: 2560, PREDICT: 640}


@dataclass(frozen=True)
class Way:
    """Contender in one mode.

    Args:
        contender: The contender.
        call: Function that computes features and returns those of the first batch.
        clips: Number of clips per call.
    """

    contender: Contender
    call: Callable[[], Any]
    clips: int


def ways(mode: str, contenders: list[Contender], audio: np.ndarray, clip_seconds: float) -> dict[str, Way]:
    """Returns the measured calls of a mode by name, for a batch of clips `[batch, time]`.

    The mode `tf.function` includes contenders without a graph, which are called directly. The mode `tf.data` has two
    calls per contender: one maps clips and then batches them, the other maps batches.
    """
    found: dict[str, Way] = {}
    n_clips = len(audio) * max(2, round(PASS_SECONDS.get(mode, 0) / clip_seconds / len(audio)))
    for contender in contenders:
        name = contender.name
        if mode == EAGER and name != FLOOR:
            found[name] = Way(contender, _call(contender.compute, contender.take(audio)), len(audio))
        elif mode == FUNCTION:
            found[name] = Way(contender, _call(_graph(contender), contender.take(audio)), len(audio))
        elif mode == DATA and name not in (FLOOR, TORCH):  # users of torch have its own data loaders
            for order, dataset in _datasets(contender, audio, n_clips).items():
                found[f"{name}, {order}"] = Way(contender, _one_pass(dataset), n_clips)
        elif mode == PREDICT and contender.layer is not None:
            found[name] = Way(contender, _prediction(contender, contender.layer, audio, n_clips), n_clips)
    return found


def _call(function: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: function(value)


def _graph(contender: Contender) -> Callable[[Any], Any]:
    # With a partial object for each contender, TensorFlow does not mistake their traces for retracing.
    return tf.function(functools.partial(_compute, contender)) if contender.in_graph else contender.compute


def _compute(contender: Contender, value: Any) -> Any:
    """Calls a contender with one argument, as a user's function does.

    Binding the optional arguments of a contender to a call would take longer than some compute a short clip.
    """
    return contender.compute(value)


def _datasets(contender: Contender, audio: np.ndarray, n_clips: int) -> dict[str, tf.data.Dataset]:
    def of_batch(batch: tf.Tensor) -> tf.Tensor:
        return contender.compute(batch) if contender.in_graph else tf.numpy_function(compute, [batch], tf.float32)

    def compute(batch: np.ndarray) -> np.ndarray:
        return contender.compute(batch).astype(np.float32)

    def of_clip(clip: tf.Tensor) -> tf.Tensor:
        return of_batch(clip[None])[0] if contender.of_clip is None else contender.of_clip(clip)

    source = tf.data.Dataset.from_tensor_slices(contender.take(audio)).repeat(n_clips // len(audio))
    parallel = machine.processors()
    return {
        "per clip": source.map(of_clip, num_parallel_calls=parallel).batch(len(audio)),
        "per batch": source.batch(len(audio)).map(of_batch, num_parallel_calls=parallel),
    }


def _one_pass(dataset: tf.data.Dataset) -> Callable[[], Any]:
    def run() -> Any:
        batches = iter(dataset)
        first = next(batches)
        for _ in batches:
            pass
        return first

    return run


def _prediction(contender: Contender, layer: keras.Layer, audio: np.ndarray, n_clips: int) -> Callable[[], Any]:
    batch = len(audio)
    values = np.asarray(contender.take(np.tile(audio, (n_clips // batch, 1))))
    model = keras.Sequential([keras.Input(values.shape[1:]), layer])
    return lambda: model.predict(values, batch_size=batch, verbose=0)[:batch]
