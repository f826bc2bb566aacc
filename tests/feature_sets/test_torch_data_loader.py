"""`FeatureSet` as the dataset of a torch `DataLoader`.

`make test-torch` runs these tests. They are skipped where torch is not installed.
"""

import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import soundfile

from audiopipe import FeatureSet
from audiopipe.errors import CorruptFeatureSetError

torch = pytest.importorskip("torch")
data = pytest.importorskip("torch.utils.data")

START_METHODS = ["fork", "spawn"]
CLIPS = 12
PADDING = -1000.0
CROP = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory, config):
    """Feature set of 12 clips of 4 to 37 frames in three shards. A process of its own computes it with TensorFlow."""
    folder = tmp_path_factory.mktemp("clips")
    noise = np.random.default_rng(0)
    lines = []
    for number in range(CLIPS):
        name = f"clip-{number:02d}.wav"
        soundfile.write(folder / name, 0.1 * noise.standard_normal(556 + 300 * number), 8000, subtype="FLOAT")
        note = None if number % 4 == 0 else f"note {number}"
        lines.append({"id": name[:-4], "path": name, "speaker": "ab"[number % 2], "take": number, "note": note})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (folder / "config.json").write_text(config.to_json())
    command = [sys.executable, "-m", "audiopipe", "precompute", folder / "manifest.jsonl", folder / "features"]
    options = ["--config", folder / "config.json", "--num-shards", 3, "--workers", 1]
    subprocess.run([str(word) for word in command + options], check=True, capture_output=True, timeout=300)
    return folder / "features"


@pytest.fixture
def sets(folder):
    """Feature set that this process has read from already, so that its files are open when it forks."""
    sets = FeatureSet(folder)
    assert sets[0]["id"] == "clip-00"
    return sets


class Crops(data.Dataset):
    """Three frames from a random place of each clip."""

    def __init__(self, sets):
        self.sets = sets
        self.n_frames = sets.metadata["n_frames"].to_numpy()

    def __len__(self):
        return len(self.sets)

    def __getitem__(self, index):
        start = int(torch.randint(int(self.n_frames[index]) - CROP + 1, ()))
        return {"index": index, "start": start, "feature": self.sets.read(index, start=start, stop=start + CROP)}


def padded(items):
    """Batch of clips of different lengths, and the process that read it. Workers call this."""
    features = [torch.from_numpy(item["feature"]) for item in items]
    return {
        "feature": torch.nn.utils.rnn.pad_sequence(features, batch_first=True, padding_value=PADDING),
        "items": [{key: value for key, value in item.items() if key != "feature"} for item in items],
        "process": os.getpid(),
        "tensorflow": "tensorflow" in sys.modules,
    }


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def loader(sets, **arguments):
    return data.DataLoader(sets, batch_size=2, collate_fn=padded, **arguments)


def ids(batches):
    return [item["id"] for batch in batches for item in batch["items"]]


@pytest.mark.parametrize("method", START_METHODS)
def test_workers_read_the_values_that_the_parent_reads(sets, method):
    workers = {"num_workers": 2, "multiprocessing_context": method}
    batches = list(loader(sets, shuffle=True, generator=seeded(5), **workers))
    assert sorted(ids(batches)) == [f"clip-{number:02d}" for number in range(CLIPS)]
    for batch in batches:
        for feature, item in zip(batch["feature"].numpy(), batch["items"], strict=True):
            expected = sets[item["id"]]
            np.testing.assert_array_equal(feature[: item["n_frames"]], expected.pop("feature"), strict=True)
            assert np.all(feature[item["n_frames"] :] == PADDING)
            assert item == expected
    processes = {batch["process"] for batch in batches}
    assert len(processes) == 2
    assert os.getpid() not in processes
    if method == "spawn":
        assert not any(batch["tensorflow"] for batch in batches)


def test_a_seed_gives_the_same_order_with_any_number_of_workers(sets):
    orders = [ids(loader(sets, shuffle=True, generator=seeded(5), num_workers=count)) for count in (0, 1, 2)]
    assert orders[0] == orders[1] == orders[2]
    assert orders[0] not in (sorted(orders[0]), ids(loader(sets, shuffle=True, generator=seeded(6))))


@pytest.mark.parametrize("method", START_METHODS)
def test_crops_of_a_view_that_workers_read_are_slices_of_its_features(sets, method):
    view = sets.where(speaker="b")
    workers = {"num_workers": 2, "multiprocessing_context": method, "persistent_workers": True}
    batches = data.DataLoader(Crops(view), batch_size=3, shuffle=True, generator=seeded(7), **workers)
    starts = []
    for _ in range(2):
        starts.append({})
        for batch in batches:
            assert batch["feature"].dtype == torch.float32
            for index, start, feature in zip(
                batch["index"].tolist(), batch["start"].tolist(), batch["feature"], strict=True
            ):
                whole = sets[f"clip-{2 * index + 1:02d}"]["feature"]
                np.testing.assert_array_equal(feature.numpy(), whole[start : start + CROP], strict=True)
                starts[-1][index] = start
        assert sorted(starts[-1]) == list(range(CLIPS // 2))
    assert starts[0] != starts[1]


def test_samplers_and_subsets_of_torch_take_a_feature_set(sets):
    parts = data.random_split(sets, [0.75, 0.25], generator=seeded(1))
    assert [len(part) for part in parts] == [9, 3]
    assert sorted(item["id"] for part in parts for item in part) == list(sets.ids)

    ranks = [data.DistributedSampler(sets, num_replicas=2, rank=rank, shuffle=False) for rank in range(2)]
    assert [ids(loader(sets, sampler=sampler)) for sampler in ranks] == [list(sets.ids[0::2]), list(sets.ids[1::2])]

    for index in (torch.tensor(4), np.int64(4), 4 - CLIPS):
        assert sets[index]["id"] == "clip-04"
    with pytest.raises(IndexError):
        sets[torch.tensor(CLIPS)]


def test_a_tensor_takes_a_feature_without_a_copy_or_a_warning(sets):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of arrays that are read-only
        for feature in (sets[1]["feature"], sets.read(1, start=1, stop=4)):
            tensor = torch.from_numpy(feature)
            assert tensor.data_ptr() == feature.ctypes.data
            before = sets[1]["feature"].copy()
            tensor.zero_()
            np.testing.assert_array_equal(sets[1]["feature"], before)


def test_an_error_of_a_worker_names_the_damaged_shard(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "features")
    sets = FeatureSet(copy)
    shard = copy / sets.shards[1]["name"]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=shard.name):
        list(loader(sets, num_workers=2))
