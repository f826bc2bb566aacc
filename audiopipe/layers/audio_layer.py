"""What all layers of audiopipe have in common."""

from typing import Any

import keras

from audiopipe import checks
from audiopipe.errors import ArgumentError

REAL_OF_COMPLEX = {"complex64": "float32", "complex128": "float64"}
COMPLEX_OF_REAL = {"float32": "complex64", "float64": "complex128"}


def compute_policy(dtype: Any = None) -> str:
    """The policy that a layer computes in: `"float64"` under a float64 policy, else `"float32"`.

    Half precision would cost a decibel scale up to 2.4 dB, so a mixed policy never reaches the inside of a feature.

    Args:
        dtype: A dtype or policy as Keras takes it. None means the global policy.
    """
    return "float64" if keras.dtype_policies.get(dtype).compute_dtype == "float64" else "float32"


def resolve_data_format(name: str, value: str) -> str:
    """Return `"channels_last"` or `"channels_first"`; `"default"` is the image data format that Keras is set to.

    Raises:
        ArgumentError: If the value is none of the three.
    """
    value = checks.choice(name, value, ("default", *checks.DATA_FORMATS))
    return keras.config.image_data_format() if value == "default" else value


class AudioLayer(keras.layers.Layer):
    """Base class: computes in float32 (float64 under a float64 policy) and declares its output's shape and dtype."""

    def __init__(self, *, dtype: Any = None, **kwargs: Any):
        super().__init__(dtype=compute_policy(dtype), **kwargs)

    def compute_output_spec(self, inputs, **kwargs):
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.compute_output_dtype(inputs.dtype))

    def compute_output_dtype(self, input_dtype: str) -> str:
        """Dtype of the output for an input of `input_dtype`."""
        return self.compute_dtype

    def check_rank(self, shape: tuple[int | None, ...], rank: int, layout: str) -> None:
        """Raise an error unless `shape` has `rank` dimensions.

        Raises:
            ArgumentError: If it has another rank. The message shows `layout`.
        """
        if len(shape) != rank:
            advice = " A single clip needs a batch axis in front: waveform[None, :, None]." if rank == 3 else ""
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be of rank {rank}, {layout}. "
                f"Received: shape={tuple(shape)}.{advice}"
            )
