"""`Dataset.map(transform)` and `IterableDataset.map(transform)` of `datasets`.

`datasets` cannot learn from a function which types its results have: it gives them after the first rows, not at all
for empty and streaming datasets, and a table that a function returns ignores `remove_columns`. So these two methods are
replaced by methods that pass a `Transform` to `map_arguments`, and every other function to the method of `datasets`.
`audiopipe.transform` installs them as soon as both it and `datasets` are imported, in whichever order.

Maps of a `DatasetDict` call these methods for every split.
"""

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import datasets

from audiopipe.errors import UntypedFeatureWarning

CLASSES: tuple[Any, ...] = (datasets.Dataset, datasets.IterableDataset)
_NEEDED = {"function", "with_indices", "input_columns", "batched", "batch_size", "remove_columns", "features"}


def install(classes: Sequence[Any] = CLASSES) -> None:
    """Replaces the method `map` of classes of `datasets`. A method that is already replaced stays.

    Args:
        classes: The classes.
    """
    for cls in classes:
        if not hasattr(cls.map, "audiopipe_original"):
            cls.map = _typed(cls.map)


def _typed(original: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the method that takes the place of a method `map` of `datasets`."""
    signature = inspect.signature(original)
    lacking = sorted(_NEEDED - signature.parameters.keys())

    @functools.wraps(original)
    def map(self: Any, *args: Any, **kwargs: Any) -> Any:
        from audiopipe.transform.transform import Transform

        function = args[0] if args else kwargs.get("function")
        if not isinstance(function, Transform):
            return original(self, *args, **kwargs)
        if lacking:  # a release of `datasets` with another `map`
            warnings.warn(
                f"In datasets {datasets.__version__}, map lacks the arguments {', '.join(lacking)}, so the column "
                f"{function.feature!r} gets no declared type, no digests and no fingerprint. Use "
                "audiopipe.hf.map(dataset, transform) or an earlier release of datasets.",
                UntypedFeatureWarning,
                stacklevel=2,
            )
            return original(self, *args, **kwargs)
        from audiopipe.hf import map_arguments

        given = signature.bind(self, *args, **kwargs).arguments
        unchanged = {name: value for name, value in list(given.items())[1:] if name != "function"}
        return map_arguments.mapped(original, self, function, unchanged)

    map.audiopipe_original = original  # type: ignore[attr-defined]
    return map
