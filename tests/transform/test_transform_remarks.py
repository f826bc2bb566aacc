"""Truncated files and remarks in `Transform`: reading, rows, warnings and pickles."""

import io
import pickle
import threading
import warnings
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from transform_examples import NOISE, make

from audiopipe import Transform
from audiopipe.configs.base import Config
from audiopipe.errors import ArgumentError, AudioError, AudioRemark

CANCELS = "the channels cancel each other, so the mixdown to one channel is silent"


def write(path, samples):
    soundfile.write(path, samples, 8000, format="WAV", subtype="FLOAT")
    return str(path)


@pytest.fixture
def truncated(tmp_path):
    """A file whose second half is missing, and its samples."""
    path = tmp_path / "truncated.wav"
    write(path, NOISE[:, 0])
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 4 * 700])
    return str(path), NOISE[:800, :1]


@pytest.fixture
def cancelling(tmp_path):
    return write(tmp_path / "cancels.wav", np.stack([NOISE[:, 0], -NOISE[:, 0]], axis=1))


@pytest.fixture(scope="module")
def accepting(mel):
    return Transform(mel.config, accept_truncated=True)


def caught(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call()
    return result, [str(item.message) for item in found if issubclass(item.category, AudioRemark)]


def test_a_truncated_file_is_read_only_on_request(mel, accepting, truncated):
    path, samples = truncated
    with pytest.raises(AudioError, match="the data chunk"):
        mel.read(path)
    read, [text] = caught(lambda: accepting.read(path))
    np.testing.assert_array_equal(read, samples)
    assert text.startswith(f"{path!r}: the data chunk")
    blocks, texts = caught(lambda: list(accepting.read_blocks(path)))
    np.testing.assert_array_equal(np.concatenate(blocks), samples)
    assert texts == [text]
    assert accepting.compute(samples).shape == accepting(samples).shape


@pytest.mark.parametrize("form", ["path", "dict", "stored bytes", "bytes", "open file"])
def test_remarks_go_to_the_function_that_is_given(accepting, truncated, form):
    path, samples = truncated
    content = Path(path).read_bytes()
    source = {
        "path": path,
        "dict": {"path": path, "bytes": None},
        "stored bytes": {"path": "a.wav", "bytes": content},
        "bytes": content,
        "open file": io.BytesIO(content),
    }[form]
    remarks = []
    read, texts = caught(lambda: accepting.read(source, on_remark=remarks.append))
    np.testing.assert_array_equal(read, samples)
    assert texts == []
    [remark] = remarks
    assert remark.text.startswith("the data chunk")


def test_warnings_about_stored_bytes_name_their_path(accepting, truncated):
    content = Path(truncated[0]).read_bytes()
    _, [text] = caught(lambda: accepting.read({"path": "a.wav", "bytes": content}))
    assert text.startswith("'a.wav': the data chunk")


def test_remarks_about_rows_come_with_their_position_before_the_row(accepting, truncated, cancelling):
    samples = [0.0] * 400
    values = [samples, cancelling, {"array": [samples, samples], "sampling_rate": 8000}, "gone.wav"] * 5 + [
        truncated[0]
    ]
    events = []
    rows = accepting.rows(
        values, on_remark=lambda number, remark: events.append((number, remark.text, threading.current_thread()))
    )
    for number, row in enumerate(rows):
        events.append((number, type(row).__name__, threading.current_thread()))
    assert {thread for _, _, thread in events} == {threading.current_thread()}
    found = [(number, text) for number, text, _ in events]
    expected = []
    for number in range(20):
        expected += [(number, CANCELS)] * (number % 4 == 1)
        expected += [(number, "AudioError" if number % 4 == 3 else "tuple")]
    assert found[:-2] == expected
    assert found[-2][0] == 20
    assert found[-2][1].startswith("the data chunk")


def test_rows_without_a_function_warn_by_file_or_position(mel, cancelling):
    array = np.stack([NOISE[:, 0], -NOISE[:, 0]], axis=1)
    _, texts = caught(lambda: list(mel.rows([array, cancelling])))
    assert texts == [f"Row 0: {CANCELS}.", f"{cancelling!r}: {CANCELS}."]


def test_rows_in_a_call_warn(mel, cancelling):
    _, texts = caught(lambda: mel({"audio": {"path": cancelling, "bytes": None}}))
    assert texts == [f"{cancelling!r}: {CANCELS}."]
    rows = datasets.Dataset.from_dict({"audio": [cancelling]})
    _, texts = caught(lambda: rows.map(lambda batch: mel(batch), batched=True))
    assert texts == [f"{cancelling!r}: {CANCELS}."]
    _, texts = caught(lambda: rows.map(mel, batched=True))
    assert texts == [f"Row 0: {cancelling!r}: {CANCELS}."]


def test_the_setting_is_kept_in_pickles_and_shown(mel, accepting):
    again = pickle.loads(pickle.dumps(accepting))
    assert again.accept_truncated
    assert repr(again).endswith("feature='feature', accept_truncated=True)")
    assert repr(Transform(mel.config, strict=True, accept_truncated=True)).endswith(
        "feature='feature', strict=True, accept_truncated=True)"
    )
    assert not pickle.loads(pickle.dumps(mel)).accept_truncated
    assert pickle.dumps(mel) != pickle.dumps(accepting)


def test_pickles_of_the_first_release_accept_no_truncated_files(mel):
    function, arguments = mel.__reduce__()
    cls, config, *_ = arguments
    assert (cls, isinstance(config, Config)) == (Transform, True)
    assert not function(*arguments[:6]).accept_truncated


def test_the_setting_must_be_true_or_false():
    with pytest.raises(ArgumentError, match=r"accept_truncated must be True or False\. Received: accept_truncated=1"):
        Transform(make().config, accept_truncated=1)
