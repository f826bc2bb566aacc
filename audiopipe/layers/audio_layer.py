"""Base class of all layers, with checks of their arguments and inputs."""

from typing import Any, ClassVar

import keras

from audiopipe import checks
from audiopipe.errors import ArgumentError, MissingDependencyError

if keras.backend.backend() != "tensorflow":
    raise MissingDependencyError(
        "Keras must use the TensorFlow backend, because audiopipe's layers compute with TensorFlow. Received: "
        f"backend={keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND=tensorflow before you import "
        "Keras."
    )

REAL_OF_COMPLEX = {"complex64": "float32", "complex128": "float64"}
COMPLEX_OF_REAL = {"float32": "complex64", "float64": "complex128"}


def compute_policy(dtype: Any = None) -> str:
    """Returns the policy that a layer computes in: `"float64"` under a float64 policy, otherwise `"float32"`.

    Layers ignore half-precision policies, because half precision changes decibels by up to 2.4 dB.

    Args:
        dtype: Any dtype or policy that Keras accepts. None means the global policy.
    """
    return "float64" if keras.dtype_policies.get(dtype).compute_dtype == "float64" else "float32"


def resolve_data_format(name: str, value: str) -> str:
    """Returns `"channels_last"` or `"channels_first"`. `"default"` becomes the image data format of Keras.

    Raises:
        ArgumentError: If the value is not one of these three.
    """
    value = checks.choice(name, value, ("default", *checks.DATA_FORMATS))
    return keras.config.image_data_format() if value == "default" else value


def check_waveform_dtype(dtype: str, layer: keras.layers.Layer) -> None:
    """Raises an error unless `dtype` is a real floating-point type of at least 32 bits.

    Raises:
        ArgumentError: If `dtype` is an integer, complex or half-precision type.
    """
    where = f"{type(layer).__name__} '{layer.name}'"
    if dtype in ("float16", "bfloat16"):
        raise ArgumentError(
            f"A waveform must have at least 32 bits per sample, because half precision changes decibels by up to "
            f"2.4 dB. Received: dtype={dtype} in {where}. If a model under a mixed policy cast the waveform, start the "
            f"model with keras.Input((None, 1)). If the model is a class of your own, pass it dtype='float32'."
        )
    if "float" not in dtype:
        raise ArgumentError(
            f"A waveform must have floating-point samples with full scale 1.0. Received: dtype={dtype} in {where}. "
            f"Scale integers first, for example 16-bit samples with waveform.astype('float32') / 32768."
        )


class AudioLayer(keras.layers.Layer):
    """Base class of all layers of audiopipe.

    A layer computes in float32, or in float64 under a float64 policy. It declares the shape and dtype of its output.
    """

    frame_local: bool = False
    """True if each frame of the output depends only on the same frame of the input, or on the samples of that frame.

    Such a layer can compute a long clip in blocks of frames. All other layers need the whole clip.
    """

    sample_context: int | None = None
    """Number of earlier samples that a sample of the output depends on, for layers from a waveform to a waveform.

    Output sample `n` depends only on the input samples `n - sample_context` to `n`. Such a layer can compute a long
    clip in blocks of samples. None stands for all other layers.
    """

    extends_clip: bool = False
    """True if the layer extends a clip at its ends, so that every frame of an `audiopipe.signal.edges.EdgeFraming` is
    complete.

    A computation in blocks extends the first and the last block, and no other. It uses `without_extension` in place of
    the layer.
    """

    frame_context: tuple[int, int] | None = None
    """Numbers of earlier and later frames that a frame of the output depends on, for layers from frames to frames.

    At the ends of a clip, the layer may mirror frames, cut as many of the last frames as it needs later ones, or append
    frames. Such a layer can compute a clip while its frames come in. None stands for layers that need the whole clip,
    and for those that are `frame_local`.
    """

    frames_per_row: int = 1
    """Number of neighbouring frames that a frame of the output takes the place of, for layers with `frame_context`."""

    most_samples: int | None = None
    """Number of samples at the start of a clip that the output depends on, for layers that cut or refuse longer clips.

    Of a long clip, only these samples are then kept in memory. None stands for layers that need all samples.
    """

    most_frames: int | None = None
    """Number of frames at the start of a clip that the output depends on, like `most_samples`, for layers of frames."""

    whole_clip: str | None = None
    """Why the layer needs the whole clip, as a sentence without a full stop. None if it does not."""

    takes_waveform: ClassVar[bool] = False
    """True if the input is a waveform. The layer then refuses integers and half precision."""

    def __init__(self, *, dtype: Any = None, **kwargs: Any):
        super().__init__(dtype=compute_policy(dtype), **kwargs)

    def __call__(self, inputs, *args, **kwargs):
        # Keras casts the input in its own __call__, which would hide the dtype.
        if self.takes_waveform and hasattr(inputs, "dtype"):
            check_waveform_dtype(keras.backend.standardize_dtype(inputs.dtype), self)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def model_input_dtype(self) -> str:
        """Dtype of the input of a model that starts with this layer."""
        return self.compute_dtype

    def compute_output_spec(self, inputs, **kwargs):
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.compute_output_dtype(inputs.dtype))

    def call_real(self, inputs: Any) -> Any:
        """Computes `call` for TFLite, with `real_arithmetic.ComplexParts` in place of complex tensors."""
        return self.call(inputs)

    def compute_output_dtype(self, input_dtype: str) -> str:
        """Returns the dtype of the output for an input of `input_dtype`.

        Raises:
            ArgumentError: If the layer does not accept `input_dtype`.
        """
        self.check_floating(input_dtype)
        return self.compute_dtype

    def without_extension(self) -> "AudioLayer | None":
        """Returns the layer for blocks that hold the extension of a clip: None if the layer does nothing else."""
        return None if self.extends_clip else self

    def check_input(self, inputs: Any) -> tuple[int | None, ...]:
        """Returns the shape of the output, or raises an error if the layer does not accept the input."""
        self.compute_output_dtype(keras.backend.standardize_dtype(inputs.dtype))
        return self.compute_output_shape(inputs.shape)

    def changed_arguments(self, **defaults: Any) -> dict[str, Any]:
        """Returns the arguments that differ from their default, for `get_config`.

        Arguments that a layer got in a later version are saved only if they are used. Otherwise a model would be saved
        differently than before, although it computes the same.

        Args:
            **defaults: Default of each argument. The layer has an attribute of the same name.
        """
        return {name: getattr(self, name) for name, default in defaults.items() if getattr(self, name) != default}

    def check_floating(self, dtype: str) -> None:
        """Raises an error unless `dtype` is a real floating-point type.

        Raises:
            ArgumentError: If it is not.
        """
        if "float" not in dtype:
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must have a real floating-point dtype. Received: "
                f"dtype={dtype}. Scale integer samples to full scale 1.0 first, for example 16-bit samples with "
                f"waveform.astype('float32') / 32768. Take the magnitude of complex values."
            )

    def check_rank(self, shape: tuple[int | None, ...], rank: int, layout: str) -> None:
        """Raises an error unless `shape` has `rank` dimensions.

        Raises:
            ArgumentError: If the rank is different. The message shows `layout`.
        """
        if len(shape) != rank:
            advice = " A single clip needs a batch axis in front: waveform[None, :, None]." if rank == 3 else ""
            raise ArgumentError(
                f"The input of {type(self).__name__} '{self.name}' must be of rank {rank}, {layout}. "
                f"Received: shape={tuple(shape)}.{advice}"
            )
