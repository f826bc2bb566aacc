"""What all layers of audiopipe have in common."""

from typing import Any, ClassVar

import keras

from audiopipe import checks
from audiopipe.errors import ArgumentError, MissingDependencyError

if keras.backend.backend() != "tensorflow":
    raise MissingDependencyError(
        "audiopipe's layers compute with TensorFlow and need Keras to run on it. Received: the Keras backend "
        f"{keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
    )

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


def check_waveform_dtype(dtype: str, layer: keras.layers.Layer) -> None:
    """Raise an error unless waveforms of `dtype` have lost nothing on the way into a layer.

    Raises:
        ArgumentError: If it is of integers, complex, or of half precision.
    """
    where = f"{type(layer).__name__} '{layer.name}'"
    if dtype in ("float16", "bfloat16"):
        raise ArgumentError(
            f"A waveform must have at least 32 bits a sample, or decibels are off by up to 2.4. Received: dtype="
            f"{dtype} in {where}. If a model under a mixed policy cast it, begin it with keras.Input((None, 1)), "
            f"or give a model class of your own dtype='float32'."
        )
    if "float" not in dtype:
        raise ArgumentError(
            f"A waveform must hold floating-point samples with full scale 1.0. Received: dtype={dtype} in {where}. "
            f"Scale integers first, 16 bits for example with waveform.astype('float32') / 32768."
        )


class AudioLayer(keras.layers.Layer):
    """Base class: computes in float32 (float64 under a float64 policy) and declares its output's shape and dtype."""

    frame_local: bool = False
    """Whether a frame of the output depends on the same frame of the input alone, or on the samples of that frame.

    Such layers compute a long clip in blocks of frames. All others wait for the whole clip.
    """

    takes_waveform: ClassVar[bool] = False
    """Whether the input is a waveform, which must not have been quantised on the way in."""

    def __init__(self, *, dtype: Any = None, **kwargs: Any):
        super().__init__(dtype=compute_policy(dtype), **kwargs)

    def __call__(self, inputs, *args, **kwargs):
        if self.takes_waveform and hasattr(inputs, "dtype"):  # before Keras casts it
            check_waveform_dtype(keras.backend.standardize_dtype(inputs.dtype), self)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def model_input_dtype(self) -> str:
        """Dtype of the input of a model that begins with this layer."""
        return self.compute_dtype

    def compute_output_spec(self, inputs, **kwargs):
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.compute_output_dtype(inputs.dtype))

    def call_real(self, inputs: Any) -> Any:
        """What `call` computes, where a complex tensor is a `real_arithmetic.ComplexParts`. For TFLite."""
        return self.call(inputs)

    def compute_output_dtype(self, input_dtype: str) -> str:
        """Dtype of the output for an input of `input_dtype`.

        Raises:
            ArgumentError: If the layer takes no such input.
        """
        self.check_floating(input_dtype)
        return self.compute_dtype

    def check_input(self, inputs: Any) -> tuple[int | None, ...]:
        """Raise an error unless the layer takes such a tensor; return the shape of the output."""
        self.compute_output_dtype(keras.backend.standardize_dtype(inputs.dtype))
        return self.compute_output_shape(inputs.shape)

    def check_floating(self, dtype: str) -> None:
        """Raise an error unless `dtype` is one of real floating-point numbers.

        Raises:
            ArgumentError: If it is another.
        """
        if "float" not in dtype:
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be of floating-point numbers. Received: "
                f"dtype={dtype}. Scale integer samples to a full scale of 1.0 first, 16 bits for example with "
                f"waveform.astype('float32') / 32768; take the magnitude of complex values."
            )

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
