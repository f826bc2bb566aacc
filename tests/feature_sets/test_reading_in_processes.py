"""Feature sets in several processes and threads at once, and as data sources of grain."""

import json
import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import feature

from audiopipe import FeatureSet

SIZE = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("processes") / "features"
    synthetic_sets.write(path, {f"{number}": feature(10 + number, seed=number) for number in range(SIZE)}, shards=4)
    return path


def sums_of(sets):
    """Returns the sum of each clip and of two of its frames, as another process computes them."""
    return os.getpid(), [(clip["feature"].sum(), sets.read(clip["id"], start=3, stop=5).sum()) for clip in sets]


def expected(numbers):
    features = [feature(10 + number, seed=number) for number in numbers]
    return [(values.sum(), values[3:5].sum()) for values in features]


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_read_at_once(folder, method):
    sets = FeatureSet(folder)
    sets[0]  # this process has descriptors, which the others do not use
    parts = [sets.shard(index, 2) for index in range(2)]
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.map(sums_of, parts, chunksize=1)
    assert os.getpid() not in [process for process, _ in found]
    assert [pair for _, sums in found for pair in sums] == expected(range(SIZE))


def test_a_forked_process_reads_with_descriptors_of_its_own(folder):
    sets = FeatureSet(folder)
    list(sets)
    receiving, sending = multiprocessing.Pipe(duplex=False)

    def work():
        sending.send((len(sets._sets._sets[0]._folder._descriptors._objects), sums_of(sets)[1]))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    assert receiving.recv() == (1, expected(range(SIZE)))
    process.join()


def test_threads_read_at_once(folder):
    sets, wrong = FeatureSet(folder), []

    def read(seed):
        for number in np.random.default_rng(seed).integers(0, SIZE, 200):
            if not np.array_equal(sets[number]["feature"], feature(10 + number, seed=number)):
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_pickle_contains_no_data(folder):
    sets = FeatureSet(folder)
    assert (len(list(sets)), len(sets.metadata), sets.find("3")) == (SIZE, SIZE, 3)
    assert len(pickle.dumps(sets)) < 1000
    assert len(pickle.dumps(sets.select(range(0, SIZE, 2)))) < 1500


def summed(clip):
    return {"id": clip["id"], "sum": clip["feature"].sum(), "process": os.getpid()}


def test_grain_reads_with_worker_processes(folder):
    grain = pytest.importorskip("grain")
    view = FeatureSet(folder).select(range(4, SIZE))
    dataset = grain.MapDataset.source(view).shuffle(seed=1).map(summed).to_iter_dataset()
    for options, processes in ((grain.MultiprocessingOptions(num_workers=2), 2), (None, 0)):
        clips = list(dataset.mp_prefetch(options) if options else dataset)
        assert len({clip["process"] for clip in clips} - {os.getpid()}) == processes
        found = {clip["id"]: clip["sum"] for clip in clips}
        assert [found[f"{number}"] for number in range(4, SIZE)] == [total for total, _ in expected(range(4, SIZE))]


def test_the_data_loader_of_grain_draws_from_a_view(folder):
    grain = pytest.importorskip("grain")
    view = FeatureSet(folder).shard(1, 2)
    sampler = grain.samplers.IndexSampler(num_records=len(view), shuffle=True, seed=3, num_epochs=1)
    loader = grain.DataLoader(data_source=view, sampler=sampler, worker_count=0)
    assert sorted(clip["id"] for clip in loader) == sorted(view.ids)


def test_grain_resumes_a_shuffled_order_exactly(folder):
    grain = pytest.importorskip("grain")

    def clips():
        dataset = grain.MapDataset.source(FeatureSet(folder)).seed(3).shuffle().repeat(3).map(summed)
        return iter(dataset.to_iter_dataset())

    whole = [clip["id"] for clip in clips()]
    epochs = [whole[start : start + SIZE] for start in range(0, 3 * SIZE, SIZE)]
    assert all(sorted(map(int, epoch)) == list(range(SIZE)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    iterator = clips()
    for taken in (5, 20, 30):  # in each epoch
        found = [next(iterator)["id"] for _ in range(taken)]
        state = json.dumps(iterator.get_state())
        iterator = clips()
        iterator.set_state(json.loads(state))
        assert found == whole[:taken]
        del whole[:taken]
    assert [clip["id"] for clip in iterator] == whole
