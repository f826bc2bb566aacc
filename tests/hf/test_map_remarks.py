"""Remarks of `hf.map`: as a column, as warnings, from the cache, and for rows that are left out."""

import io
import re
import warnings

import datasets
import numpy as np
import pytest
import soundfile
from datasets import Dataset, DatasetDict, Features, IterableDatasetDict, Value

from audiopipe import Transform, hf
from audiopipe.errors import ArgumentError, AudioError, AudioRemark

pytestmark = pytest.mark.usefixtures("quiet_bars")

NOISE = np.random.default_rng(4).uniform(-0.5, 0.5, 4000).astype(np.float32)
CANCELS = "the channels cancel each other, so the mixdown to one channel is silent"


def wav(samples):
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="WAV", subtype="PCM_16")
    return file.getvalue()


WHOLE = wav(NOISE)
CLIPS = {
    "whole.wav": WHOLE,
    "truncated.wav": WHOLE[: len(WHOLE) // 2],
    "cancels.wav": wav(np.stack([NOISE, -NOISE], axis=1)),
    "truncated cancels.wav": wav(np.stack([NOISE, -NOISE], axis=1))[:9000],
    "broken.wav": b"no audio",
}
STRUCT = Features({"audio": {"bytes": Value("binary"), "path": Value("string")}, "label": Value("int64")})


@pytest.fixture
def dataset():
    audio = [{"bytes": content, "path": name} for name, content in CLIPS.items()]
    return Dataset.from_dict({"audio": audio, "label": list(range(len(CLIPS)))}, features=STRUCT)


FORMS = {"table": lambda dataset: dataset, "streaming": lambda dataset: dataset.to_iterable_dataset()}


def rows_of(mapped):
    return list(mapped.with_format(None))


def caught(call):
    """Returns the result of a call, and the texts of the remarks that it warned about."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call()
    return result, [str(warning.message) for warning in found if issubclass(warning.category, AudioRemark)]


@pytest.mark.parametrize("form", FORMS)
def test_a_column_holds_the_remarks_of_each_row(mel, dataset, form):
    rows, texts = caught(
        lambda: rows_of(
            hf.map(FORMS[form](dataset), mel, on_error="null", accept_truncated=True, remarks=True, batch_size=2)
        )
    )
    assert texts == []
    assert list(rows[0]) == ["label", "feature", "n_frames", "feature_digest", "error", "remark"]
    found = dict(zip(CLIPS, [row["remark"] for row in rows], strict=True))
    assert (found["whole.wav"], found["cancels.wav"], found["broken.wav"]) == (None, CANCELS, None)
    assert "the data chunk" in found["truncated.wav"]
    assert "truncated.wav" not in found["truncated.wav"]
    parts = found["truncated cancels.wav"].split("; ")
    assert len(parts) == 2
    assert CANCELS in parts
    assert [row["error"] is None for row in rows] == [True] * 4 + [False]
    assert 0 < rows[1]["n_frames"] < rows[0]["n_frames"]


def test_the_column_is_text_even_if_no_row_has_a_remark(mel, dataset):
    mapped = hf.map(dataset.select([0]), mel, remarks=True)
    assert mapped.features["remark"] == Value("string")
    assert mapped["remark"][:] == [None]
    assert hf.map(dataset.select([]), mel, remarks=True).features == mapped.features


@pytest.mark.parametrize("form", FORMS)
def test_without_the_column_remarks_are_warnings_that_name_row_and_file(mel, dataset, form):
    mapped, texts = caught(lambda: rows_of(hf.map(FORMS[form](dataset.select([0, 2])), mel)))
    assert texts == [f"Row 1: 'cancels.wav': {CANCELS}."]
    assert list(mapped[0]) == ["label", "feature", "n_frames", "feature_digest"]


def test_a_result_from_the_cache_warns_again(mel, dataset, tmp_path):
    dataset.select([2, 4]).save_to_disk(tmp_path / "rows")
    stored = datasets.load_from_disk(tmp_path / "rows")
    first = caught(lambda: hf.map(stored, mel, on_error="skip"))
    again = caught(lambda: hf.map(stored, mel, on_error="skip"))
    assert first[0].cache_files == again[0].cache_files
    assert first[1] == again[1]
    assert [text[:6] for text in again[1]] == ["Row 0:", "1 of 2"]


@pytest.mark.parametrize("kind", [DatasetDict, IterableDatasetDict])
def test_warnings_name_the_split(mel, dataset, kind):
    part = dataset.select([2, 4]) if kind is DatasetDict else dataset.select([2, 4]).to_iterable_dataset()
    _, texts = caught(lambda: rows_of(hf.map(kind(test=part), mel, on_error="skip")["test"]))
    assert texts[0] == f"Split 'test': Row 0: 'cancels.wav': {CANCELS}."
    assert texts[1].startswith("Split 'test': ")
    assert "'broken.wav': Could not decode" in texts[1]


def test_rows_that_are_left_out_are_counted(mel, dataset):
    bad = dataset.select([4, 0, 4, 4, 4, 1])
    mapped, [text] = caught(lambda: hf.map(bad, mel, on_error="skip"))
    assert mapped["label"][:] == [0]
    assert text.startswith("5 of 6 rows were left out. Row 0: 'broken.wav': Could not decode 8 bytes as audio")
    assert "Row 2: 'broken.wav'" in text
    assert "And 2 more." in text
    assert text.endswith("use on_error='null'.")


def test_a_stream_warns_about_each_row_that_it_leaves_out(mel, dataset):
    mapped = hf.map(dataset.select([4, 0, 1]).to_iterable_dataset(), mel, on_error="skip")
    rows, texts = caught(lambda: list(mapped))
    assert [row["label"] for row in rows] == [0]
    assert [text.partition(":")[0] for text in texts] == ["Row 0 was left out", "Row 2 was left out"]


def test_nothing_is_said_about_whole_files(mel, dataset):
    for on_error in ("raise", "skip", "null"):
        assert caught(lambda on_error=on_error: hf.map(dataset.select([0]), mel, on_error=on_error))[1] == []


def test_truncated_files_are_errors_unless_the_map_or_the_transform_accepts_them(mel, config, dataset):
    truncated = dataset.select([1])
    with pytest.raises(AudioError, match=r"Row 0: 'truncated\.wav': .*the data chunk"):
        hf.map(truncated, mel)
    accepting = Transform(config, accept_truncated=True)
    by_map, texts = caught(lambda: hf.map(truncated, mel, accept_truncated=True))
    by_transform, same = caught(lambda: hf.map(truncated, accepting))
    assert texts == same
    assert len(texts) == 1
    expected, _ = soundfile.read(io.BytesIO(CLIPS["truncated.wav"]), dtype="float32")
    for mapped in (by_map, by_transform):
        np.testing.assert_array_equal(mapped.with_format("numpy")[0]["feature"], mel(expected)[..., 0])
    assert not mel.accept_truncated


def test_the_cache_knows_whether_truncated_files_are_accepted(mel, dataset, tmp_path):
    dataset.select([1]).save_to_disk(tmp_path / "rows")
    stored = datasets.load_from_disk(tmp_path / "rows")
    assert hf.map(stored, mel, on_error="null")["n_frames"][:] == [0]
    assert hf.map(stored, mel, on_error="null", accept_truncated=True, remarks=True)["n_frames"][0] > 0
    assert hf.map(stored, mel, on_error="null")["n_frames"][:] == [0]


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_columns_with_the_names_of_hidden_columns_are_kept(mel, dataset, on_error):
    good = dataset.select([0]).rename_column("label", "remark").add_column("_remark", [7]).add_column("_error", [8])
    row = hf.map(good.add_column("error", [9]), mel, on_error=on_error)[0]
    assert [row[name] for name in ("remark", "_remark", "_error", "error")] == [0, 7, 8, 9]
    assert list(row) == ["remark", "_remark", "_error", "error", "feature", "n_frames", "feature_digest"]


def test_a_column_named_remark_is_refused_if_remarks_are_wanted(mel, dataset):
    taken = dataset.select([0]).rename_column("label", "remark")
    with pytest.raises(ArgumentError, match=re.escape("Received: remark. Rename")):
        hf.map(taken, mel, remarks=True)
    assert hf.map(taken, mel, remarks=True, keep_columns=[])["remark"][:] == [None]


@pytest.mark.parametrize(
    ("name", "arguments"), [("remark", {"remarks": True}), ("error", {"on_error": "null"}), ("n_frames", {})]
)
def test_a_feature_with_the_name_of_another_added_column_is_refused(config, dataset, name, arguments):
    with pytest.raises(ArgumentError, match=f"Received: feature='{name}'"):
        hf.map(dataset, Transform(config, feature=name), **arguments)


def test_the_feature_may_have_the_name_of_a_hidden_column(mel, dataset):
    mapped = hf.map(dataset.select([0]), Transform(mel.config, feature="_remark"))
    assert mapped.column_names == ["label", "_remark", "n_frames", "_remark_digest"]
    assert mapped.features["_remark"] == hf.feature_type(mel.config)


@pytest.mark.parametrize("name", ["remarks", "accept_truncated"])
def test_settings_must_be_true_or_false(mel, dataset, name):
    with pytest.raises(ArgumentError, match=f"{name} must be True or False. Received: {name}=1"):
        hf.map(dataset, mel, **{name: 1})


def test_rows_that_are_computed_when_they_are_read_warn(mel, dataset):
    rows = hf.with_transform(dataset, mel)
    _, texts = caught(lambda: rows[2])
    assert texts == [f"'cancels.wav': {CANCELS}."]
