"""The errors that audiopipe raises.

Each names what was received, what is expected and what to do. They all derive from `AudiopipeError`, so one `except`
catches them; where a value is wrong they are a `ValueError` as well.
"""


class AudiopipeError(Exception):
    """Base class of every error that audiopipe raises on purpose."""

    # TensorFlow rebuilds an error that is raised while it traces a function, and can only do so with this constructor.
    __init__ = Exception.__init__


class ArgumentError(AudiopipeError, ValueError):
    """An argument of a layer, a transform or a function has a value that it cannot have."""


class ConfigError(ArgumentError):
    """A config's field, or a config's JSON, is not valid."""


class RegistryError(AudiopipeError, ValueError):
    """A name is unknown, malformed, or would get a second meaning."""


class InputError(AudiopipeError, ValueError):
    """What should be read as a list of clips is missing, empty or malformed."""


class AudioError(AudiopipeError):
    """One clip cannot be turned into samples or into a feature.

    Attributes:
        stage: Where it failed: `"read"`, `"decode"`, `"resample"` or `"feature"`.
    """

    def __init__(self, message: str, stage: str):
        super().__init__(message)
        self.stage = stage

    def __reduce__(self):
        return type(self), (str(self), self.stage)


class FeatureSetError(AudiopipeError):
    """A feature set cannot be written or read."""


class IncompleteFeatureSetError(FeatureSetError):
    """A folder holds no `dataset.json`: no feature set, or one that was never finished."""


class CorruptFeatureSetError(FeatureSetError):
    """A file of a feature set is not what `dataset.json` says of it."""


class FeatureSetLockedError(FeatureSetError):
    """Another run writes to the same folder, or has taken it over."""


class ConfigMismatchError(FeatureSetError, ValueError):
    """Features of one config were found where another was expected."""


class InputChangedError(FeatureSetError, ValueError):
    """A feature set was begun with another input or other settings, and cannot be gone on with."""


class OutputError(FeatureSetError):
    """A file of a feature set cannot be written."""


class TooManyFailuresError(FeatureSetError):
    """So many clips failed that the input or the config must be wrong."""


class StalledError(FeatureSetError):
    """A job did not get on for too long."""


class StoppedError(FeatureSetError):
    """A job was told to stop."""


class FingerprintError(AudiopipeError, ValueError):
    """It cannot be told which feature something was built for."""


class ForkError(AudiopipeError, RuntimeError):
    """A process was forked after TensorFlow had run, and would wait for ever if it computed."""


class ForeignCodeError(AudiopipeError, ImportError):
    """Code would have been imported from a folder that nothing is installed to."""


class MissingDependencyError(AudiopipeError, ImportError):
    """An optional dependency is needed and not installed."""


class MachineWarning(UserWarning):
    """Features were computed under machine facts that may give other bits than here."""
