"""The benchmark of pipelines: its contenders compute the same features, and its table compares the best ones."""

import io

import numpy as np
import pytest
from rich.console import Console

from benchmarks import definitions, pipelines
from benchmarks.peers import KERAS, SIGNAL
from benchmarks.reading import Times


def test_all_pipelines_compute_the_features_of_the_transform(tmp_path):
    paths = pipelines.write(tmp_path / "clips", 0.1, 3, unequal=True)
    found = pipelines.pipelines(definitions.SETTINGS["speech"], paths)
    orders = (pipelines.PER_CLIP, pipelines.PER_BATCH)
    assert set(found) >= {f"{name}, {order}" for name in (pipelines.OURS, SIGNAL, KERAS) for order in orders}


@pytest.mark.parametrize(("batch", "message"), [(np.zeros((1, 5, 2)), "by at most 0.01 dB"), ([], "of 1 clips")])
def test_a_pipeline_with_other_features_is_refused(batch, message):
    with pytest.raises(AssertionError, match=f"peer must .* {message}"):
        pipelines.check("peer", batch, [np.ones((4, 2, 1))])


def test_the_table_compares_the_fastest_order_of_each_contender():
    times = {
        f"{pipelines.OURS}, {pipelines.PER_CLIP}": Times([4.0, 4.0], [6.0, 6.0]),
        f"{pipelines.OURS}, {pipelines.PER_BATCH}": Times([2.0, 2.0], [3.0, 3.0]),
        f"{SIGNAL}, {pipelines.PER_CLIP}": Times([3.0, 5.0], [4.0, 4.0]),
        f"{SIGNAL}, {pipelines.PER_BATCH}": Times([9.0, 9.0], [9.0, 9.0]),
    }
    console = Console(width=180, record=True, file=io.StringIO())
    console.print(pipelines.table("title", times, 100, bound=1.4))
    text = console.export_text()
    assert "2.00 (1.50 .. 2.50)" in text
    assert "0.75 (0.75 .. 0.75)" in text
    assert text.count("(1.50 .. 2.50)") == 1
    assert "4.50" not in text
