"""Small Parquet files of a plan with rows for the index."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audiopipe.storage import files


def read(path: str, columns: list[str] | None = None) -> pa.Table:
    """Reads the rows of a file.

    `pyarrow.parquet.read_table` takes twice as long for a small file, and its first call imports `pyarrow.dataset`.

    Args:
        path: Path of the file, local or remote.
        columns: Names of the columns to read. None reads all.
    """
    with files.open_binary(path) as file:
        return pq.ParquetFile(file).read(columns, use_threads=False)


def prepare() -> None:
    """Makes pyarrow load what it loads with its first array: pandas, where it is installed, takes half a second."""
    pa.array(np.zeros(0))
