"""Small models that take the feature of the shared config, `[frames, 129, 1]`, for tests of stamps and checks."""

import keras


def sequential(n_bins=129, **arguments):
    layers = [keras.Input((None, n_bins, 1)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)]
    return keras.Sequential(layers, **arguments)


def functional():
    """Returns a model with two inputs in a dict and two named outputs."""
    inputs = {"feature": keras.Input((None, 129, 1), name="feature"), "n_frames": keras.Input((), name="n_frames")}
    pooled = keras.layers.GlobalAveragePooling2D()(inputs["feature"])
    outputs = keras.layers.Dense(2, name="speaker")(pooled), keras.layers.Dense(1, name="length")(pooled)
    return keras.Model(inputs, [outputs[0], outputs[1] * inputs["n_frames"][:, None]])


@keras.saving.register_keras_serializable("tests")
class Subclass(keras.Model):
    """A model of its own class that knows nothing of stamps."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pool, self.dense = keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)

    def call(self, feature):
        return self.dense(self.pool(feature))


@keras.saving.register_keras_serializable("tests")
class Penalized(keras.Model):
    """A functional model with a training step of its own."""

    def train_step(self, data):
        return {**super().train_step(data), "penalty": 1.0}


def penalized():
    inputs = keras.Input((None, 129, 1))
    return Penalized(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(inputs)))
