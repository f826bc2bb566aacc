"""Errors and warnings of audiopipe.

Each message says what was received, what is expected and what to do. All errors derive from `AudiopipeError`, so one
`except` catches them. Errors about a wrong value are also a `ValueError`.
"""


class AudiopipeError(Exception):
    """Base class of all errors that audiopipe raises on purpose."""

    # TensorFlow can only rebuild an error that is raised during tracing if it has this constructor.
    __init__ = Exception.__init__


class ArgumentError(AudiopipeError, ValueError):
    """Invalid value of an argument of a layer, a transform or a function."""


class ConfigError(ArgumentError):
    """Invalid field of a config, or invalid JSON of a config."""


class RegistryError(AudiopipeError, ValueError):
    """Name that is unknown, is malformed, or already belongs to another config."""


class InputError(AudiopipeError, ValueError):
    """Missing, empty or malformed input that should list clips."""


class AudioError(AudiopipeError):
    """Clip that cannot be converted to samples or to a feature.

    Attributes:
        stage: The stage that failed: `"read"`, `"decode"`, `"resample"` or `"feature"`.
    """

    def __init__(self, message: str, stage: str):
        super().__init__(message, stage)  # Beam makes the error again from these
        self.stage = stage

    def __str__(self) -> str:
        return str(self.args[0])


class FeatureSetError(AudiopipeError):
    """Feature set that cannot be written or read."""


class IncompleteFeatureSetError(FeatureSetError):
    """Folder without `dataset.json`, which contains no feature set or an unfinished one."""


class CorruptFeatureSetError(FeatureSetError):
    """File of a feature set that differs from its description in `dataset.json`."""


class FeatureSetLockedError(FeatureSetError):
    """Folder that another run is writing to or has taken over."""


class ClipNotFoundError(FeatureSetError, IndexError, KeyError):
    """Number or id that no clip of a feature set has."""

    __str__ = Exception.__str__  # that of KeyError quotes the message


class ConfigMismatchError(FeatureSetError, ValueError):
    """Features with another config than the expected one."""


class InputChangedError(FeatureSetError, ValueError):
    """Feature set that was started with another input or other settings, and cannot be resumed."""


class OutputError(FeatureSetError):
    """File of a feature set that cannot be written."""


class TooManyFailuresError(FeatureSetError):
    """So many failed clips that the input or the config is probably wrong."""


class StalledError(FeatureSetError):
    """Job that made no progress for too long."""


class StoppedError(FeatureSetError):
    """Job that was stopped on request."""


class FingerprintError(AudiopipeError, ValueError):
    """Dataset, model or folder whose feature cannot be determined."""


class ModelError(AudiopipeError, ValueError):
    """File of a model that cannot be loaded."""


class ForkError(AudiopipeError, RuntimeError):
    """Computation in a process that was forked after TensorFlow had run, which would wait forever."""


class ForeignCodeError(AudiopipeError, ImportError):
    """Code in a folder that package managers do not install to, which is not imported."""


class MissingDependencyError(AudiopipeError, ImportError):
    """Optional dependency that is needed but not installed."""


class MachineWarning(UserWarning):
    """Features from a machine that may give other bits than this one."""


class AudioRemark(UserWarning):
    """Clip that was read although something was wrong with it, such as a missing end."""


class MetadataRemark(UserWarning):
    """Metadata column whose missing values are stored as a number."""


class UntypedFeatureWarning(UserWarning):
    """Column with features that carries neither their type nor their fingerprint, so no reader can check them."""
