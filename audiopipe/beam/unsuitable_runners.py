"""Runners of Apache Beam that lose elements, which the building blocks refuse.

DaskRunner collects the results of a bundle before it calls `finish_bundle`, and so drops what a function emits there.
It gives all outputs of a function to one collection, whatever their tags, and computes only what leads to the last
transform of the pipeline. No error says so.
"""

from typing import Any

from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.pipeline import Pipeline

from audiopipe.errors import ArgumentError

_DASK = "DaskRunner"


def check(pipeline: Pipeline) -> None:
    """Raises an error if the runner of a pipeline would lose elements.

    Args:
        pipeline: The pipeline that a building block is applied to.

    Raises:
        ArgumentError: If it runs on Dask.
    """
    chosen = str(pipeline.options.view_as(StandardOptions).runner or "")
    if chosen.split(".")[-1].lower() not in (_DASK.lower(), "dask") and not _is_dask(pipeline.runner):
        return
    raise ArgumentError(
        "The building blocks of audiopipe.beam must run on a runner that keeps all elements. Received: DaskRunner, "
        "which drops elements of collections that are batched, tagged, branched or flattened, and reports no error. "
        "Use another runner, such as FlinkRunner, SparkRunner, DataflowRunner, PrismRunner or DirectRunner. To compute "
        "a feature set on Dask, use audiopipe.beam.precompute(..., beam_options=['--runner=DaskRunner', ...]), whose "
        "pipeline is a single chain and loses nothing there."
    )


def _is_dask(runner: Any) -> bool:
    """Returns whether a runner, or the one that it wraps, is Beam's runner for Dask, which need not be installed."""
    while runner is not None:
        if any(kind.__name__ == _DASK and "dask" in kind.__module__ for kind in type(runner).__mro__):
            return True
        runner = getattr(runner, "_underlying_runner", None)  # of an InteractiveRunner
    return False
