"""Models that record the feature that they were trained on: `Config.stamp_model`.

Keras is imported when a model is stamped, not with this module.
"""

import inspect
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from audiopipe import checks
from audiopipe.errors import ArgumentError, ConfigMismatchError
from audiopipe.identity import model_stamps

if TYPE_CHECKING:
    import keras

    from audiopipe.configs.base import Config

# A class that has one of these of its own trains, evaluates or predicts in its own way.
STEPS = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics", "fit", "evaluate", "predict")
FEATURE = "feature"  # name of the input that takes the feature, if the shapes do not tell


def stamp_text(config: "Config", kernel_version: int, machines: Sequence[dict[str, Any]]) -> str:
    """Returns the text of a stamp, see `audiopipe.layers.FeatureStamp`.

    It contains all fields of the config, unlike the identity form, so that a layer can compare it with another config
    without knowing the defaults of the class.

    Args:
        config: Config of the feature.
        kernel_version: Kernel version of the features.
        machines: What is known about each kind of machine that computed the features.
    """
    content = json.loads(config.stamp(kernel_version)) | {"config": config.to_dict(), "machines": list(machines)}
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def stamped(config: "Config", model: "keras.Model", stamp: str, input_name: str | None = None) -> "keras.Model":
    """Returns a model with a stamp before the input that takes the feature.

    Args:
        config: Config of the feature.
        model: A model that takes the feature.
        stamp: Text of the stamp.
        input_name: Name of the input that takes the feature, see `Config.stamp_model`.

    Returns:
        A new model with the layers of the old one, or the old one if it has this stamp already.
    """
    import keras

    from audiopipe.layers import FeatureStamp

    if not isinstance(model, keras.Model):
        raise checks.fail("model", "a Keras model that takes features", model)
    if _has_this_stamp(model, stamp):
        return model
    layer = FeatureStamp(stamp)
    if not _is_of_keras(type(model).call):
        result = _around(model, layer, input_name)
    elif isinstance(model, keras.Sequential):
        result = _sequential(config, model, layer, input_name)
    else:
        result = _functional(config, model, layer, input_name)
    _compile_like(result, model)
    return result


def _has_this_stamp(model: "keras.Model", stamp: str) -> bool:
    """Returns whether a model has a stamp of the same feature. Refuses one of another feature, and a front end."""
    from audiopipe.layers import ComposedLayer, FeatureStamp

    wanted = model_stamps.parse(stamp)["fingerprint"]
    layers = model._flatten_layers(include_self=True, recursive=True)
    for layer in layers:
        if isinstance(layer, ComposedLayer) or getattr(layer, "has_front_end", False):  # in a SavedModel
            raise ArgumentError(
                f"model must take features. Received: {model.name!r}, whose layer {layer.name!r} computes them from "
                "audio. A layer from config.layer() records the config of its feature itself. Stamp the part of the "
                "model behind it."
            )
        if isinstance(layer, FeatureStamp):
            found = model_stamps.parse(layer.stamp)["fingerprint"]
            if found != wanted:
                raise ConfigMismatchError(
                    f"The stamp of the model {model.name!r} says that it was trained on another feature. Expected: "
                    f"fingerprint {wanted}. Received: fingerprint {found}. Its config is "
                    "audiopipe.fingerprint_of(model).config. Build a new model to train it on another feature."
                )
            return True
    return False


def _sequential(config: "Config", model: Any, layer: Any, input_name: str | None) -> "keras.Model":
    import keras

    cls = _class_of(model, keras.Sequential)
    if getattr(model, "inputs", None) is None:  # the shape of the input is not known yet
        return cls([layer, *model.layers], name=model.name)
    tensor = _picked(config, model, input_name)
    _check_takes_feature(config, model, tensor)
    return cls([_input_like(tensor), layer, *model.layers], name=model.name)


def _functional(config: "Config", model: Any, layer: Any, input_name: str | None) -> "keras.Model":
    import keras

    cls = _class_of(model, keras.Model)
    picked = _picked(config, model, input_name)
    _check_takes_feature(config, model, picked)
    inputs = keras.tree.map_structure(_input_like, model.input)
    stamped = keras.tree.map_structure(lambda tensor: layer(tensor) if tensor.name == picked.name else tensor, inputs)
    # A model within a model would have other names of outputs, and losses and metrics refer to these.
    outputs = keras.Function(model.input, model.output).call(stamped)
    return cls(inputs, outputs, name=model.name)


def _around(model: Any, layer: Any, input_name: str | None) -> "keras.Model":
    """Returns a model that calls the stamp and then a model of a class with its own `call`."""
    import keras

    steps = _own_steps(model)
    if steps or input_name is not None:
        what = f"its own {steps[0]}" if steps else "inputs with names of its own"
        raise ArgumentError(
            f"stamp_model cannot stamp a model whose class has its own call and {what}. Received: "
            f"{type(model).__name__} {model.name!r}. Make the layer in the class, self.stamp = config.stamp_layer(), "
            "and call it first in call: feature = self.stamp(feature)."
        )
    return keras.Sequential([layer, model], name=f"stamped_{model.name}")


def _class_of(model: Any, plain: type[Any]) -> Any:
    """Returns the class of a new model: that of the model, or `plain` if its constructor takes other arguments.

    Raises:
        ArgumentError: If the latter would train, evaluate or predict in another way.
    """
    cls = type(model)
    arguments = inspect.getfullargspec(cls.__init__)
    if _is_of_keras(cls.__init__) or (arguments.varargs and arguments.varkw):
        return cls if issubclass(cls, plain) else plain
    steps = _own_steps(model)
    if steps:
        raise ArgumentError(
            f"stamp_model cannot keep {steps[0]} of {cls.__name__}, because the constructor of the class takes other "
            f"arguments than those of keras.{plain.__name__}. Received: {model.name!r}. Put the layer "
            "config.stamp_layer() behind the input where the class builds the model."
        )
    return plain


def _own_steps(model: Any) -> list[str]:
    return [name for name in STEPS if not _is_of_keras(getattr(type(model), name))]


def _is_of_keras(method: Any) -> bool:
    return method.__module__.partition(".")[0] == "keras"


def _picked(config: "Config", model: Any, name: str | None) -> Any:
    """Returns the input of a model that takes the feature."""
    inputs = model.inputs
    if name is not None:
        found = [tensor for tensor in inputs if tensor.name == name]
    elif len(inputs) == 1:
        found = inputs
    else:
        found = [tensor for tensor in inputs if len(tensor.shape) == 4 and _fits(config, tensor)]
        if len(found) != 1:  # a model may take features without their channels
            found = [tensor for tensor in found or inputs if tensor.name == FEATURE]
    if len(found) != 1:
        listed = ", ".join(f"{tensor.name!r} {tuple(tensor.shape)}" for tensor in inputs)
        raise ArgumentError(
            f"input_name must be the name of the input that takes the feature, one of: {listed}. Received: "
            f"input_name={name!r}."
        )
    return found[0]


def _check_takes_feature(config: "Config", model: Any, tensor: Any) -> None:
    # A program may squeeze or reshape a feature before it reaches the model, so other ranks say nothing.
    if len(tensor.shape) == 4 and not _fits(config, tensor):
        expected = (None, *config.feature_shape(None, config.channels))
        raise ArgumentError(
            f"The input of the model must have the shape of the feature, {expected}. Received: {tuple(tensor.shape)} "
            f"in {model.name!r}. Stamp the model with the config of the features that it was trained on."
        )


def _fits(config: "Config", tensor: Any) -> bool:
    """Returns whether a batch of features may have the shape of an input of rank 4."""
    sizes = zip(tensor.shape[1:], config.feature_shape(None, config.channels), strict=True)
    return all(size is None or of_feature is None or size == of_feature for size, of_feature in sizes)


def _input_like(tensor: Any) -> Any:
    import keras

    optional = getattr(tensor._keras_history.operation, "optional", False)
    return keras.Input(
        batch_shape=tensor.shape, dtype=tensor.dtype, sparse=tensor.sparse, name=tensor.name, optional=optional
    )


def _compile_like(result: Any, model: Any) -> None:
    """Compiles a model with the optimizer, the loss and the metrics of another one, and the optimizer's state.

    A class with its own `compile` takes arguments that nobody knows here, so its models stay as they are.
    """
    import keras

    settings = getattr(model, "_compile_config", None)
    if not model.compiled or settings is None or not _is_of_keras(type(model).compile):
        return
    is_scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    result.compile(**{**settings.config, "optimizer": model.optimizer}, auto_scale_loss=is_scaled)
