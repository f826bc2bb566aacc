"""Registration of `Dataset.map(transform)` with `datasets`, which may be imported before or after a transform."""

import sys
from typing import Any

import wrapt


def register() -> None:
    """Installs the maps of `audiopipe.hf.dataset_maps` when `datasets` is imported, or now if it is already."""
    wrapt.register_post_import_hook(_install, "datasets")


def _install(module: Any) -> None:
    if "datasets.arrow_dataset" not in sys.modules:
        return  # a folder or a module of the user that has this name
    from audiopipe.hf import dataset_maps  # knowledge of these methods belongs to the door

    dataset_maps.install()
