"""The cache of `hf.map` for rows that hold local paths: hits, and misses after a file has changed."""

import os

import datasets
import numpy as np
import pytest
import soundfile
from datasets import Audio, Dataset, DatasetDict, Features, Value

from audiopipe import Transform, hf
from audiopipe.hf import local_files

pytestmark = pytest.mark.usefixtures("quiet_bars")

NOISE = np.random.default_rng(6).uniform(-0.5, 0.5, 8000).astype(np.float32)
PATHS = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}})


@pytest.fixture
def files(tmp_path):
    """Two files: `a.wav` of half a second and `b.wav` of a quarter."""
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    for path, length in zip(paths, (4000, 2000), strict=True):
        soundfile.write(path, NOISE[:length], 8000)
    return paths


def touched(path):
    """Sets a modification time that differs from the last one on file systems with coarse times too."""
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


def stored(dataset, folder):
    dataset.save_to_disk(folder)
    return datasets.load_from_disk(folder)


FORMS = {
    "paths": lambda paths, folder: stored(Dataset.from_dict({"audio": paths}), folder),
    "file URLs": lambda paths, folder: stored(Dataset.from_dict({"audio": [f"file://{p}" for p in paths]}), folder),
    "structs": lambda paths, folder: stored(
        Dataset.from_dict({"audio": [{"bytes": None, "path": path} for path in paths]}, features=PATHS), folder
    ),
    "Audio()": lambda paths, folder: stored(Dataset.from_dict({"audio": paths}), folder).cast_column("audio", Audio()),
    "shuffled": lambda paths, folder: stored(Dataset.from_dict({"audio": ["gone", *paths]}), folder).select([2, 1]),
    "tensorflow": lambda paths, folder: stored(Dataset.from_dict({"audio": paths}), folder).with_format("tensorflow"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_replaced_file_is_computed_anew_and_unchanged_files_hit_the_cache(mel, files, tmp_path, calls, form):
    paths = [str(path) for path in files]
    dataset = FORMS[form](paths, tmp_path / "rows")

    def counts():
        return sorted(hf.map(dataset, mel).with_format(None)["n_frames"][:])

    assert counts() == counts() == [mel.n_frames(2000), mel.n_frames(4000)]
    assert len(calls) == 2
    soundfile.write(files[1], NOISE[:6000], 8000)
    assert counts() == [mel.n_frames(4000), mel.n_frames(6000)]
    assert len(calls) == 4


def test_a_file_of_the_same_size_is_computed_anew(mel, files, tmp_path):
    rows = FORMS["paths"]([str(path) for path in files], tmp_path / "rows")
    hf.map(rows, mel)
    soundfile.write(files[1], NOISE[2000:4000], 8000)
    touched(files[1])
    samples, _ = soundfile.read(files[1], dtype="float32")
    found = hf.map(rows, mel).with_format("numpy")[1]["feature"]
    np.testing.assert_array_equal(found, mel(samples)[..., 0])


def test_a_fixed_file_loses_its_error_and_a_file_that_vanishes_gets_one(mel, files, tmp_path):
    content = files[0].read_bytes()
    files[0].write_bytes(content[:20])
    rows = FORMS["paths"]([str(path) for path in files], tmp_path / "rows")
    assert hf.map(rows, mel, on_error="null")["n_frames"][:] == [0, mel.n_frames(2000)]
    files[0].write_bytes(content)
    assert hf.map(rows, mel, on_error="null")["error"][:] == [None, None]
    files[1].unlink()
    gone = hf.map(rows, mel, on_error="null")["error"][:]
    assert gone[0] is None
    assert gone[1].endswith("No such file or directory.")
    soundfile.write(files[1], NOISE[:3000], 8000)
    assert hf.map(rows, mel, on_error="null")["n_frames"][:] == [mel.n_frames(4000), mel.n_frames(3000)]


def test_only_files_that_are_read_matter(mel, files, tmp_path, calls):
    values = [{"bytes": files[0].read_bytes(), "path": str(files[0])}, {"bytes": None, "path": str(files[1])}]
    rows = stored(Dataset.from_dict({"audio": values}, features=PATHS), tmp_path / "rows")
    chosen = stored(Dataset.from_dict({"audio": [str(path) for path in files]}), tmp_path / "chosen").select([1])
    hf.map(rows, mel)
    hf.map(chosen, mel)
    files[0].unlink()
    hf.map(rows, mel)
    hf.map(chosen, mel)
    assert len(calls) == 3
    touched(files[1])
    hf.map(rows, mel)
    hf.map(chosen, mel)
    assert len(calls) == 6


def test_only_the_split_with_the_changed_file_is_computed_anew(mel, files, tmp_path, calls):
    parts = {path.stem: Dataset.from_dict({"audio": [str(path)]}) for path in files}
    splits = stored(DatasetDict(parts), tmp_path / "rows")
    hf.map(splits, mel)
    touched(files[1])
    mapped = hf.map(splits, mel)
    assert calls == [str(files[0]), str(files[1]), str(files[1])]
    assert mapped["b"]["n_frames"][:] == [mel.n_frames(2000)]


@pytest.mark.parametrize(
    "named", [{"cache_file_name": "mapped.arrow"}, {"new_fingerprint": "mine"}], ids=["file", "fingerprint"]
)
def test_a_result_under_a_name_of_the_user_is_used_only_for_the_same_computation(
    mel, config, files, tmp_path, calls, named
):
    named = {name: str(tmp_path / value) if name == "cache_file_name" else value for name, value in named.items()}
    rows = FORMS["paths"]([str(path) for path in files], tmp_path / "rows")
    hf.map(rows, mel, **named)
    hf.map(rows, mel, **named)
    assert len(calls) == 2
    touched(files[0])
    hf.map(rows, mel, **named)
    assert len(calls) == 4
    other = Transform(type(config)(sample_rate=8000, n_fft=128))
    mapped = hf.map(rows, other, **named)
    assert np.shape(mapped[0]["feature"]) == (other.n_frames(4000), other.config.n_bins)
    hf.map(rows, other, **named)
    assert len(calls) == 6


def test_splits_under_one_name_of_the_user_are_not_mixed_up(mel, files, tmp_path):
    parts = {path.stem: Dataset.from_dict({"audio": [path.read_bytes()]}) for path in files}
    splits = stored(DatasetDict(parts), tmp_path / "rows")
    for named in ({"new_fingerprint": "mine"}, {"cache_file_name": str(tmp_path / "mapped.arrow")}):
        mapped = hf.map(splits, mel, **named)
        assert [mapped[name]["n_frames"][0] for name in "ab"] == [mel.n_frames(4000), mel.n_frames(2000)]


def test_a_file_of_the_user_that_is_no_result_is_replaced(mel, files, tmp_path):
    (tmp_path / "mapped.arrow").write_bytes(b"nothing")
    rows = Dataset.from_dict({"audio": [str(files[0])]})
    mapped = hf.map(rows, mel, cache_file_name=str(tmp_path / "mapped.arrow"))
    assert mapped["n_frames"][:] == [mel.n_frames(4000)]


def test_maps_in_memory_and_without_caching_follow_the_files(mel, files, tmp_path):
    rows = FORMS["paths"]([str(path) for path in files], tmp_path / "rows")
    hf.map(rows, mel, keep_in_memory=True)
    soundfile.write(files[0], NOISE[:5000], 8000)
    assert hf.map(rows, mel, keep_in_memory=True)["n_frames"][0] == mel.n_frames(5000)
    datasets.disable_caching()
    try:
        assert hf.map(rows, mel)["n_frames"][0] == mel.n_frames(5000)
    finally:
        datasets.enable_caching()


def test_the_state_covers_every_row_and_only_local_paths(files, tmp_path, monkeypatch):
    seen, state_of = [], local_files._state
    monkeypatch.setattr(local_files, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(local_files, "ROWS_PER_THREAD", 2)
    monkeypatch.setattr(local_files, "_state", lambda path: seen.append(path) or state_of(path))
    local = [str(files[0])] * 4 + ["", "nul\0", "x" * 5000, str(tmp_path)]
    paths = [*local, None, "s3://bucket/a.wav", "https://host/b.wav", str(files[1])]
    state = local_files.state(Dataset.from_dict({"audio": paths}), "audio")
    assert sorted(seen) == sorted([*local, str(files[1])])
    touched(files[1])
    assert local_files.state(Dataset.from_dict({"audio": paths}), "audio") != state


@pytest.mark.parametrize(
    "values", [[None, "s3://bucket/a.wav"], [b"bytes"], [[0.5, 0.25]], [{"array": [0.5], "sampling_rate": 8}], [None]]
)
def test_rows_without_local_paths_have_no_state(values):
    assert local_files.state(Dataset.from_dict({"audio": values}), "audio") == ""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permissions of this kind")
def test_a_file_whose_permissions_are_fixed_is_computed_anew(mel, files, tmp_path, calls):
    rows = FORMS["paths"]([str(path) for path in files], tmp_path / "rows")
    hf.map(rows, mel)
    files[0].chmod(0o600 if files[0].stat().st_mode & 0o077 else 0o644)
    hf.map(rows, mel)
    assert len(calls) == 4
