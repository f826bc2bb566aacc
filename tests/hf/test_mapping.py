"""Tests of `hf.map`: kinds of datasets, failing rows, kept columns, and cache hits."""

import dataclasses
import io
import subprocess
import sys
import threading

import datasets
import fsspec
import numpy as np
import pytest
import soundfile
from datasets import Audio, Dataset, DatasetDict, Features, IterableDataset, IterableDatasetDict, Value

from audiopipe import Transform, hf
from audiopipe.errors import ArgumentError, AudioError

pytestmark = [
    pytest.mark.usefixtures("quiet_bars"),
    pytest.mark.filterwarnings("ignore::audiopipe.errors.AudioRemark"),  # tested in test_map_remarks.py
]

AUDIO = {"bytes": Value("binary"), "path": Value("string")}
STRUCT = Features({"audio": AUDIO, "label": Value("int64")})
SOUND = np.random.default_rng(3).uniform(-0.5, 0.5, (9600, 2)).astype(np.float32)
GOOD = ["two channels", "8 kHz", "96 kHz"]


def encoded(samples, rate):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


KINDS = {
    "null": None,
    "two channels": {"bytes": encoded(SOUND, 16000), "path": "two.wav"},
    "corrupt": {"bytes": b"RIFF, they said", "path": "corrupt.wav"},
    "8 kHz": {"bytes": encoded(SOUND[:, 0], 8000), "path": "low.wav"},
    "no samples": {"bytes": encoded(SOUND[:0], 8000), "path": "empty.wav"},
    "96 kHz": {"bytes": encoded(SOUND[:, 1], 96000), "path": "high.wav"},
    "short": {"bytes": encoded(SOUND[:9], 8000), "path": "short.wav"},
}


@pytest.fixture(scope="module")
def expected(mel):
    """The features that the transform itself computes for the good rows."""
    return [mel(mel.read(KINDS[name]["bytes"]))[..., 0] for name in GOOD]


@pytest.fixture
def dataset():
    return Dataset.from_dict({"audio": list(KINDS.values()), "label": list(range(len(KINDS)))}, features=STRUCT)


FORMS = {
    "struct": lambda dataset: dataset,
    "Audio()": lambda dataset: dataset.cast_column("audio", Audio()),
    "Audio(decode=False)": lambda dataset: dataset.cast_column("audio", Audio(decode=False)),
    "numpy": lambda dataset: dataset.with_format("numpy"),
    "streaming": lambda dataset: dataset.to_iterable_dataset(),
    "streaming Audio()": lambda dataset: dataset.cast_column("audio", Audio()).to_iterable_dataset(),
    "streaming numpy": lambda dataset: dataset.to_iterable_dataset().with_format("numpy"),
}


def features(mapped):
    return [np.asarray(row["feature"]) for row in mapped.with_format("numpy")]


def check(mapped, expected):
    found = features(mapped)
    assert {feature.dtype for feature in found} == {np.dtype(np.float32)}
    for feature, value in zip(found, expected, strict=True):
        np.testing.assert_array_equal(feature, value)


@pytest.mark.parametrize("form", FORMS)
def test_skip_leaves_out_the_rows_that_fail(mel, dataset, expected, form):
    mapped = hf.map(FORMS[form](dataset), mel, on_error="skip", batch_size=2)
    assert mapped.features == Features(
        label=Value("int64"),
        feature=hf.feature_type(mel.config),
        n_frames=Value("int64"),
        feature_digest=Value("string", id=f"audiopipe digest of {mel.config.fingerprint}"),
    )
    check(mapped, expected)
    plain = list(mapped.with_format(None))
    assert [row["label"] for row in plain] == [1, 3, 5]
    assert [row["n_frames"] for row in plain] == [len(feature) for feature in expected]


@pytest.mark.parametrize("form", FORMS)
def test_null_gives_the_rows_that_fail_a_reason_and_no_feature(mel, dataset, expected, form):
    mapped = hf.map(FORMS[form](dataset), mel, on_error="null", batch_size=2).with_format(None)
    assert mapped.features["error"] == Value("string")
    rows = list(mapped)
    assert [row["label"] for row in rows] == list(range(len(KINDS)))
    reasons = dict(zip(KINDS, [row["error"] for row in rows], strict=True))
    assert [name for name, reason in reasons.items() if reason is None] == GOOD
    assert reasons["null"].startswith("The row holds no audio.")
    assert reasons["corrupt"].startswith("'corrupt.wav': Could not decode")
    assert reasons["no samples"].startswith("'empty.wav': The audio has no samples")
    assert reasons["short"].startswith("'short.wav': The clip is shorter than one frame")
    for row in rows:
        assert (row["n_frames"] == 0) == (row["error"] is not None)
    for row, value in zip([row for row in rows if row["error"] is None], expected, strict=True):
        np.testing.assert_array_equal(np.array(row["feature"], np.float32), value)


def test_a_missing_feature_is_null_in_arrow(mel, dataset):
    column = hf.map(dataset, mel, on_error="null").data.column("feature")
    assert [value.as_py() is None for value in column] == [name not in GOOD for name in KINDS]


@pytest.mark.parametrize(
    ("name", "message"), [("corrupt", r"Row 1: 'corrupt\.wav': Could not"), ("short", r"Row 1: 'short\.wav': The clip")]
)
@pytest.mark.parametrize("form", ["struct", "streaming"])
def test_raise_names_the_row_and_the_file_of_the_first_failure(mel, dataset, form, name, message):
    chosen = dataset.select([GOOD.index("8 kHz") * 3, list(KINDS).index(name)])
    with pytest.raises(AudioError, match=message) as raised:
        list(hf.map(FORMS[form](chosen), mel))
    assert raised.tb is not None
    assert not [thread for thread in threading.enumerate() if thread.name == "audiopipe-read"]


def test_a_failure_names_its_split(mel, dataset):
    with pytest.raises(AudioError, match=r"Split 'test': Row 0: The row holds no audio"):
        hf.map(DatasetDict(train=dataset.select([1]), test=dataset), mel)


def test_skip_leaves_no_rows_if_all_fail(mel, dataset):
    assert len(hf.map(dataset.select([0, 2]), mel, on_error="skip")) == 0


@pytest.mark.parametrize("on_error", ["raise", "skip", "null"])
def test_an_empty_dataset_gets_the_columns_and_types(mel, dataset, on_error):
    mapped = hf.map(dataset.select([]), mel, on_error=on_error)
    assert len(mapped) == 0
    assert mapped.features == hf.map(dataset.select([1]), mel, on_error=on_error).features


def test_keep_columns_selects_the_columns_that_stay(mel, dataset):
    dataset = dataset.select([1, 3]).add_column("speaker", ["Bo", "Di"])
    assert hf.map(dataset, mel, keep_columns=["speaker"]).column_names == [
        "speaker",
        "feature",
        "n_frames",
        "feature_digest",
    ]
    assert hf.map(dataset, mel, keep_columns=[]).column_names == ["feature", "n_frames", "feature_digest"]


@pytest.mark.parametrize("form", ["struct", "Audio()", "Audio(decode=False)", "streaming", "streaming Audio()"])
def test_keep_columns_can_keep_the_audio_as_it_is_stored(mel, dataset, form):
    given = FORMS[form](dataset)
    mapped = hf.map(given, mel, keep_columns=["audio"], on_error="skip")
    assert mapped.column_names == ["audio", "feature", "n_frames", "feature_digest"]
    assert mapped.features["audio"] == given.features["audio"]
    if form.endswith("Audio()"):
        mapped = mapped.cast_column("audio", Audio(decode=False))  # decoding would need torchcodec
    assert [row["audio"] for row in mapped] == [KINDS[name] for name in GOOD]


def test_keep_columns_can_drop_a_column_whose_name_is_taken(mel, dataset):
    mapped = hf.map(dataset.select([1]).rename_column("label", "n_frames"), mel, keep_columns=[])
    assert mapped[0]["n_frames"] != 1


def test_streaming_rows_are_computed_when_they_are_read(mel, dataset, monkeypatch):
    calls = []
    read = Transform.read_blocks
    monkeypatch.setattr(
        Transform, "read_blocks", lambda self, source, **options: calls.append(source) or read(self, source, **options)
    )
    mapped = hf.map(dataset.select([1, 3, 5]).to_iterable_dataset(), mel, batch_size=1)
    assert calls == []
    next(iter(mapped))
    assert len(calls) == 1


def test_a_streaming_dataset_without_types_gets_them(mel, expected):
    made = IterableDataset.from_generator(lambda: ({"audio": KINDS[name], "label": name} for name in GOOD))
    mapped = hf.map(made, mel)
    assert mapped.features["feature"] == hf.feature_type(mel.config)
    check(mapped, expected)


def test_each_split_of_a_streaming_dict_is_mapped(mel, dataset, expected):
    mapped = hf.map(IterableDatasetDict(test=dataset.to_iterable_dataset()), mel, on_error="skip")
    assert isinstance(mapped, IterableDatasetDict)
    check(mapped["test"], expected)


def test_remote_files_are_read(mel, expected):
    paths = [f"memory://hf-mapping/{number}.wav" for number in range(len(GOOD))]
    for path, name in zip(paths, GOOD, strict=True):
        with fsspec.open(path, "wb") as file:
            file.write(KINDS[name]["bytes"])
    check(hf.map(Dataset.from_dict({"audio": paths}).cast_column("audio", Audio()), mel), expected)


def test_decoded_samples_are_resampled_and_refused_when_strict(mel, config, expected):
    decoded = []
    for name in GOOD:
        samples, rate = soundfile.read(io.BytesIO(KINDS[name]["bytes"]), dtype="float32")
        decoded.append(
            {"array": samples.T.tolist() if samples.ndim == 2 else [samples.tolist()], "sampling_rate": rate}
        )
    rows = Dataset.from_dict({"audio": decoded})
    check(hf.map(rows, mel), expected)
    with pytest.raises(
        ArgumentError, match=r"Row 0: strict=True requires audio that audiopipe decodes itself\. Received: dict"
    ):
        hf.map(rows, Transform(config, strict=True), on_error="skip")


def test_strict_takes_stored_bytes(config, dataset, expected):
    check(hf.map(dataset, Transform(config, strict=True), on_error="skip"), expected)


@pytest.mark.parametrize("batched", [True, False])
def test_datasets_own_map_takes_stored_bytes_of_a_decoding_column(
    mel, dataset, expected, batched, monkeypatch, tmp_path
):
    package = tmp_path / "torchcodec"
    package.mkdir()
    (package / "__init__.py").write_text("raise OSError('libnvrtc.so: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(datasets.config, "TORCHCODEC_AVAILABLE", True)
    good = dataset.select([1, 3, 5]).cast_column("audio", Audio())
    types = Features(feature=hf.feature_type(mel.config), n_frames=Value("int64"))
    check(good.map(mel, batched=batched, remove_columns=["audio", "label"], features=types), expected)
    check(hf.map(good, mel), expected)


@pytest.mark.parametrize("kind", ["numpy", "tensorflow"])
def test_datasets_own_map_works_under_a_format(mel, dataset, expected, kind):
    good = dataset.select([1, 3, 5]).with_format(kind)
    types = Features(feature=hf.feature_type(mel.config), n_frames=Value("int64"))
    mapped = good.map(mel, batched=True, remove_columns=["audio", "label"], features=types)
    check(mapped, expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_error": "ignore"}, r"on_error must be one of raise, skip, null\. Received: on_error='ignore'"),
        ({"keep_columns": "label"}, r"keep_columns must be a list of names\. Received: keep_columns='label'"),
        ({"keep_columns": ["labels"]}, r"columns of the dataset: audio, label\. Also received: labels"),
        ({"num_proc": 0}, r"num_proc must be at least 1, or None\. Received: num_proc=0"),
        ({"batch_size": 0}, r"batch_size must be at least 1\. Received: batch_size=0"),
        ({"batch_size": 2.5}, r"batch_size must be an integer\. Received: batch_size=2\.5"),
    ],
)
def test_wrong_arguments_are_refused(mel, dataset, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        hf.map(dataset, mel, **arguments)


def test_a_column_named_error_is_refused_only_on_null(mel, dataset):
    dataset = dataset.select([1]).rename_column("label", "error")
    assert hf.map(dataset, mel, on_error="skip")[0]["error"] == 1
    with pytest.raises(ArgumentError, match=r"Received: error\. Rename"):
        hf.map(dataset, mel, on_error="null")


def test_several_processes_for_a_streaming_dataset_are_refused(mel, dataset):
    with pytest.raises(ArgumentError, match=r"in one process\. Received: num_proc=2"):
        hf.map(dataset.to_iterable_dataset(), mel, num_proc=2)


def test_anything_but_a_dataset_is_refused(mel):
    with pytest.raises(ArgumentError, match="Received: list"):
        hf.map([1, 2], mel)


CACHED = """
import sys, datasets
from audiopipe import Transform, hf, registry
datasets.disable_progress_bars()
calls, read_blocks = [], Transform.read_blocks
Transform.read_blocks = lambda self, value, **options: calls.append(value) or read_blocks(self, value, **options)
mel, rows = Transform(sys.argv[2]), datasets.load_from_disk(sys.argv[1])
for arguments in {}, {"on_error": "skip"}, {"on_error": "null"}, {"on_error": "skip", "keep_columns": ["audio"]}:
    if arguments:
        hf.map(rows, mel, **arguments)
    else:
        hf.map(rows.select([1, 3, 5]), mel)
hf.map(datasets.load_from_disk(sys.argv[3]), mel)
print(len(calls), "rows computed")
"""


@pytest.mark.faults
def test_the_cache_is_found_by_another_process_but_not_for_another_config_or_kernel_version(
    dataset, config, tmp_path, monkeypatch
):
    dataset.save_to_disk(tmp_path / "rows")
    path = tmp_path / "config.json"
    path.write_text(config.to_json())
    rows, mel = datasets.load_from_disk(tmp_path / "rows"), Transform(path)
    hf.map(rows.select([1, 3, 5]), mel)
    hf.map(rows, mel, on_error="skip")
    hf.map(rows, mel, on_error="null")
    hf.map(rows, mel, on_error="skip", keep_columns=["audio"])
    (tmp_path / "high.wav").write_bytes(KINDS["96 kHz"]["bytes"])
    Dataset.from_dict({"audio": [str(tmp_path / "high.wav")]}).save_to_disk(tmp_path / "paths")
    hf.map(datasets.load_from_disk(tmp_path / "paths"), mel)

    def computed(path):
        done = subprocess.run(
            [sys.executable, "-c", CACHED, str(tmp_path / "rows"), str(path), str(tmp_path / "paths")],
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert computed(path) == "0 rows computed"

    calls = []
    read_blocks = Transform.read_blocks
    monkeypatch.setattr(
        Transform,
        "read_blocks",
        lambda self, value, **options: calls.append(value) or read_blocks(self, value, **options),
    )
    hf.map(rows, Transform(path), on_error="skip")
    assert calls == []
    hf.map(rows, Transform(dataclasses.replace(config, hop_length=99)), on_error="skip")
    assert len(calls) == len(KINDS)
    monkeypatch.setattr(type(config), "kernel_version", config.kernel_version + 1)
    hf.map(rows, Transform(path), on_error="skip")
    assert len(calls) == 2 * len(KINDS)
