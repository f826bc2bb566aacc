"""Keys of cached results that a user names.

`datasets` takes a result that exists under the user's `cache_file_name` or `new_fingerprint` whatever it was computed
from. Here it must have been computed by the same transform from the same state of the audio files.
"""

import glob
import json
import os
import re
from collections.abc import Sequence
from typing import Any

import datasets
import pyarrow as pa
from datasets.fingerprint import Hasher

SUFFIX_TEMPLATE = "_{rank:05d}_of_{num_proc:05d}"  # default of `Dataset.map` for the files of several processes


def with_key(kwargs: dict[str, Any], dataset: datasets.Dataset, computation: Sequence[Any]) -> dict[str, Any]:
    """Returns the arguments of a map, changed if the user names the result.

    Args:
        kwargs: Arguments of `Dataset.map`.
        dataset: The dataset that is mapped.
        computation: What the result depends on beside the dataset. It can be pickled.

    Returns:
        The arguments. `new_fingerprint`, if given, also depends on the computation. `load_from_cache_file` is False if
        a file under the user's name holds another result.
    """
    path, fingerprint = kwargs.get("cache_file_name"), kwargs.get("new_fingerprint")
    if path is None and fingerprint is None:
        return kwargs  # `datasets` finds the key itself
    origin = dataset._fingerprint if fingerprint is None else fingerprint
    key = Hasher.hash([origin, *computation])
    if path is not None and any(not _is_of(file, key) for file in _files(path, kwargs)):
        kwargs = {**kwargs, "load_from_cache_file": False}
    return {**kwargs, "new_fingerprint": key}


def _files(path: str, kwargs: dict[str, Any]) -> list[str]:
    """Returns the files that exist under a name, of one process or of several."""
    prefix, extension = os.path.splitext(path)
    suffix = re.sub(r"\{[^}]*\}", "*", kwargs.get("suffix_template", SUFFIX_TEMPLATE))
    return [*glob.glob(glob.escape(path)), *glob.glob(f"{glob.escape(prefix)}{suffix}{glob.escape(extension)}")]


def _is_of(path: str, key: str) -> bool:
    """Returns whether `datasets` has written a file under a fingerprint."""
    try:
        with pa.memory_map(path) as source, pa.ipc.open_stream(source) as stream:
            written = json.loads(stream.schema.metadata[b"huggingface"])["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):  # pyarrow's errors are among them
        return False
    return written.startswith(key)
