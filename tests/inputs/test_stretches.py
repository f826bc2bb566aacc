"""Rows that name a stretch of a recording are found by their columns, and other rows stay whole recordings."""

import csv
import json
import math

import pytest

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import ScanReport
from audiopipe.inputs.stretches import StretchColumns, stretch_of


def _of(**row):
    found = StretchColumns(ScanReport()).of(row, "line 1")
    return None if found is None else (found.start, found.end, found.name)


def _named(row):
    found = StretchColumns(ScanReport()).of(row, "line 1")
    return None if found is None else (found.start, found.end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("start", "end"),
        ("start", "stop"),
        ("begin", "end"),
        ("start_time", "end_time"),
        ("begin_time", "end_time"),
        ("start_seconds", "end_seconds"),
        ("start_sec", "end_sec"),
        ("start_s", "end_s"),
        ("Start", "End"),
        ("START_TIME", "END_TIME"),
        ("startTime", "endTime"),
        ("starttime", "endtime"),
        ("Begin Time (s)", "End Time (s)"),
        ("Start (s)", "End (s)"),
        ("segment_start", "segment_end"),
        ("seg-start", "seg-end"),
        ("start_timestamp", "end_timestamp"),
        ("t_start", "t_end"),
        ("tmin", "tmax"),
    ],
)
def test_a_start_and_an_end_in_seconds_make_a_stretch(start, end):
    assert _named({start: 1.5, end: "4"}) == (1.5, 4.0)
    assert _named({"label": "x", end: 4, "text": "y", start: "1.5"}) == (1.5, 4.0)
    assert _named({start: 1.5, end: None}) == (1.5, None)


@pytest.mark.parametrize("start", ["offset", "start", "begin", "start_time", "start_seconds"])
@pytest.mark.parametrize("duration", ["duration", "Duration", "dur", "duration_s", "duration_seconds"])
def test_a_start_and_a_duration_make_a_stretch(start, duration):
    assert _named({start: "2.5", duration: 1}) == (2.5, 3.5)
    assert _named({start: 2.5, duration: -1}) == (2.5, None)
    assert _named({start: 2.5, duration: ""}) == (2.5, None)


@pytest.mark.parametrize(
    "row",
    [
        {"duration": 3.0},
        {"duration": "3.0", "text": "x"},
        {"onset": 1.0, "offset": 2.0},
        {"onset": "1.0", "offset": "2.0", "duration": "10.0"},
        {"onset": 1.0, "duration": 2.0},
        {"event_start": 1.0, "event_end": 2.0},
        {"start": None, "end": None},
        {"start": "", "end": " "},
        {"offset": None, "duration": 2.0},
        {"start": math.nan, "end": math.nan},
        {"start": [0.5, 2.0], "end": [1.0, 3.0]},
        {"offset": 2.0},
        {"start": "2021-03-04"},
        {"end": 4.0},
        {"start_ms": 500, "end_ms": 900},
        {"start_sample": 500, "end_sample": 900},
    ],
)
def test_rows_without_a_start_beside_an_end_or_duration_are_whole_recordings(row):
    assert StretchColumns(ScanReport()).of(row, "line 1") is None


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"start": "2.0", "end": "3.0"}, (2.0, 3.0, "2.0-3.0")),
        ({"start": " 2 ", "end": "+3.50"}, (2.0, 3.5, "2-3.50")),
        ({"start": "1e-3", "end": "1e1"}, (0.001, 10.0, "0.001-10")),
        ({"offset": "2.10", "duration": "0.3"}, (2.1, 2.4, "2.10-2.40")),
        ({"offset": 2.1, "duration": 0.3}, (2.1, 2.4, "2.1-2.4")),
        ({"offset": 0, "duration": 2}, (0.0, 2.0, "0-2")),
        ({"offset": -0.0, "duration": 2.0}, (0.0, 2.0, "0.0-2.0")),
        ({"start": 5.0, "end": -1}, (5.0, None, "5.0-")),
    ],
)
def test_the_name_of_a_stretch_has_the_numbers_as_written_and_sums_are_exact(row, expected):
    assert _of(**row) == expected
    assert math.copysign(1, _of(**row)[0]) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"start": "x", "end": "2"}, r"start must be a number of seconds.*start='x'"),
        ({"start": "00:01:30", "end": "00:02:00"}, r"start must be a number of seconds.*'00:01:30'\. Write seconds"),
        ({"start": "1_0", "end": "20"}, "start must be a number"),
        ({"start": "0,5", "end": "1,5"}, "start must be a number"),
        ({"start": True, "end": 2}, "start must be a number"),
        ({"start": 1, "end": math.inf}, "end must be a number"),
        ({"start": "nan", "end": "2"}, "start must be a number"),
        ({"start": 1, "end": 10**20}, "end must be a number"),
        ({"start": -0.5, "end": 2}, r"start at 0 seconds or later.*start=-0\.5"),
        ({"start": 2, "end": 2}, "end after its start"),
        ({"start": 2, "end": 1.5}, "end after its start"),
        ({"offset": 2, "duration": 0}, "end after its start.*duration=0"),
        ({"offset": 2, "duration": -2}, "end after its start"),
        ({"start": "", "end": "2"}, r"end needs start beside it.*Write start=0"),
        ({"start": 1, "end": 2, "offset": 3, "duration": 1}, r"offset and duration name 3-4, start and end name 1-2"),
    ],
)
def test_impossible_stretches_are_refused(row, message):
    with pytest.raises(InputError, match=f"line 7: .*{message}"):
        StretchColumns(ScanReport()).of(row, "line 7")


def test_the_shorter_name_is_the_stretch_where_two_names_mean_the_same():
    row = {"start_time": "2021-03-04T10:00", "end_time": "2021-03-04T11:00", "start": 1, "end": 2}
    assert _of(**row) == (1.0, 2.0, "1-2")


def test_two_pairs_of_columns_may_name_the_same_stretch():
    assert _of(start=1.0, end=3.0, offset=1, duration=2)[:2] == (1.0, 3.0)
    assert _of(start=1.0, end=3.0, duration=60.0) == (1.0, 3.0, "1.0-3.0")


def test_the_notes_say_which_columns_named_stretches_and_which_did_not():
    report = ScanReport()
    columns = StretchColumns(report)
    for row in (
        {"offset": 1, "duration": 2},
        {"offset": 3, "duration": 2},
        {"offset": 5},
        {"start_ms": 1, "end_ms": 2},
    ):
        columns.of(row, "")
    assert report.notes == [
        "2 clips from stretches of recordings, which the columns 'offset' and 'duration' name",
        "1 clip from whole recordings, because 'offset' has no end or duration beside it",
        "1 clip from whole recordings, because 'start_ms' and 'end_ms' are not in seconds",
    ]


def test_minus_one_as_the_end_of_a_segment_is_the_end_of_the_recording():
    assert stretch_of("3.5", "-1", "").end is None
    with pytest.raises(InputError, match="end needs start beside it"):
        stretch_of(None, 3, "")


ROWS = [
    {"path": "call.wav", "offset": 0.0, "duration": 2.0, "label": "low"},
    {"path": "call.wav", "offset": 2.0, "duration": 1.0, "label": "high"},
    {"path": "other.wav", "offset": 2.5, "duration": -1, "label": "rest"},
]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json"])
def test_the_rows_of_a_manifest_are_stretches_with_ids_of_their_own(tmp_path, kind):
    path = tmp_path / f"m.{kind}"
    if kind == "csv":
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, ROWS[0])
            writer.writeheader()
            writer.writerows(ROWS)
    else:
        path.write_text("\n".join(map(json.dumps, ROWS)) if kind == "jsonl" else json.dumps(ROWS))
    report = ScanReport()
    clips = list(inputs.scan(path, report=report))
    assert [(clip.id, clip.path, clip.start, clip.end) for clip in clips] == [
        ("call.wav#0.0-2.0", f"{tmp_path}/call.wav", 0.0, 2.0),
        ("call.wav#2.0-3.0", f"{tmp_path}/call.wav", 2.0, 3.0),
        ("other.wav#2.5-", f"{tmp_path}/other.wav", 2.5, None),
    ]
    as_written = {"offset": "2.0", "duration": "1.0"} if kind == "csv" else {"offset": 2.0, "duration": 1.0}
    assert clips[1].metadata == {**as_written, "label": "high"}
    assert report.notes == ["3 clips from stretches of recordings, which the columns 'offset' and 'duration' name"]


def test_ids_of_rows_stay_as_they_are(tmp_path):
    (tmp_path / "m.csv").write_text("id,path,start,end\nx,a.wav,0,1\ny,a.wav,1,2\nz,a.wav,,\n")
    assert [(clip.id, clip.start, clip.end) for clip in inputs.scan(tmp_path / "m.csv")] == [
        ("x", 0.0, 1.0),
        ("y", 1.0, 2.0),
        ("z", None, None),
    ]


def test_rows_of_nemo_without_an_offset_are_whole_recordings(tmp_path):
    rows = [{"audio_filepath": "a.wav", "duration": 3.0}, {"audio_filepath": "a.wav", "duration": 1.0, "offset": 2.0}]
    (tmp_path / "m.json").write_text("\n".join(map(json.dumps, rows)))
    found = [(clip.id, clip.start, clip.end) for clip in inputs.scan(tmp_path / "m.json")]
    assert found == [("a.wav", None, None), ("a.wav#2.0-3.0", 2.0, 3.0)]


def test_the_same_stretch_twice_needs_ids(tmp_path):
    (tmp_path / "m.csv").write_text("path,start,end\na.wav,0,1\na.wav,0,1\n")
    with pytest.raises(InputError, match=r"have the id 'a\.wav#0-1'"):
        list(inputs.scan(tmp_path / "m.csv"))


def test_an_impossible_stretch_names_its_line(tmp_path):
    (tmp_path / "m.csv").write_text("path,start,end\na.wav,0,1\na.wav,4,3\n")
    with pytest.raises(InputError, match=r"m\.csv', line 3: a stretch must .*start='4', end='3'"):
        list(inputs.scan(tmp_path / "m.csv"))
