"""Recordings and cuts of lhotse are read, and what lhotse would compute is refused."""

import gzip
import json

import pytest

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import ScanReport, Source

# In the form of the files that `RecordingSet.to_file` and `CutSet.to_file` of lhotse write.
RECORDING = {
    "id": "call",
    "sources": [{"type": "file", "channels": [0], "source": "audio/call.wav"}],
    "sampling_rate": 16000,
    "num_samples": 160000,
    "duration": 10.0,
    "channel_ids": [0],
}
SUPERVISION = {
    "id": "s1",
    "recording_id": "call",
    "start": 0.0,
    "duration": 1.1,
    "channel": 0,
    "text": "hello",
    "language": "en",
    "speaker": "ann",
}
CUT = {
    "id": "call-0",
    "start": 2.2,
    "duration": 1.1,
    "channel": 0,
    "supervisions": [SUPERVISION],
    "recording": RECORDING,
    "type": "MonoCut",
}


@pytest.fixture
def manifest(tmp_path):
    def write(*rows, name="cuts.jsonl.gz"):
        if name.endswith(".json"):
            content = json.dumps(rows).encode()
        else:
            content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        (tmp_path / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("name", ["recordings.jsonl.gz", "recordings.jsonl", "recordings.json"])
def test_recordings_are_clips(manifest, tmp_path, name):
    path = manifest(
        RECORDING, {**RECORDING, "id": "b", "sources": [{"type": "url", "source": "gs://x/b.wav"}]}, name=name
    )
    assert list(inputs.scan(path)) == [
        Source("call", f"{tmp_path}/audio/call.wav", metadata={"duration": 10.0}),
        Source("b", "gs://x/b.wav", metadata={"duration": 10.0}),
    ]


def test_cuts_are_stretches_of_their_recordings(manifest, tmp_path):
    whole = {**CUT, "id": "call-1", "start": 0, "duration": 10.0, "supervisions": [], "custom": {"snr": 12.5}}
    assert list(inputs.scan(manifest(CUT, whole))) == [
        Source(
            "call-0",
            f"{tmp_path}/audio/call.wav",
            metadata={
                "recording": "call",
                "start": 2.2,
                "duration": 1.1,
                "supervision": "s1",
                "text": "hello",
                "speaker": "ann",
                "language": "en",
            },
            start=2.2,
            end=3.3,  # 2.2 + 1.1 is 3.3000000000000003
        ),
        Source(
            "call-1",
            f"{tmp_path}/audio/call.wav",
            metadata={"recording": "call", "start": 0, "duration": 10.0, "snr": 12.5},
        ),
    ]


def test_several_supervisions_are_kept_as_json_and_counted(manifest):
    second = {**SUPERVISION, "id": "s2", "start": 0.5, "duration": 0.6, "text": "there"}
    report = ScanReport()
    [clip] = inputs.scan(manifest({**CUT, "supervisions": [SUPERVISION, second]}), report=report)
    assert json.loads(clip.metadata["supervisions"]) == [SUPERVISION, second]
    assert "text" not in clip.metadata
    assert report.notes == [
        "1 cut with several or detailed supervisions, which are in the column 'supervisions' as JSON"
    ]


@pytest.mark.parametrize(
    "change", [{"start": 0.1}, {"duration": 1.0}, {"alignment": {"word": [["hello", 0.1, 0.4, 1.0]]}}]
)
def test_a_supervision_of_a_part_or_with_an_alignment_is_kept_as_json_too(manifest, change):
    [clip] = inputs.scan(manifest({**CUT, "supervisions": [{**SUPERVISION, **change}]}))
    assert json.loads(clip.metadata["supervisions"]) == [{**SUPERVISION, **change}]
    assert clip.metadata["text"] == "hello"


def test_custom_fields_do_not_replace_others(manifest):
    custom = {"text": "mine", "tags": {"a": 1}, "id": 7}
    [clip] = inputs.scan(manifest({**CUT, "custom": custom}))
    assert clip.metadata["text"] == "hello"
    assert clip.metadata["custom_text"] == "mine"
    assert clip.metadata["custom_id"] == 7
    assert json.loads(clip.metadata["tags"]) == {"a": 1}


def test_a_channel_of_a_recording_with_several_is_kept_and_counted(manifest):
    stereo = {**RECORDING, "channel_ids": [0, 1]}
    report = ScanReport()
    [clip] = inputs.scan(manifest({**CUT, "recording": stereo, "channel": 1}), report=report)
    assert clip.metadata["channel"] == 1
    assert report.notes == ["1 cut of one channel, which is in the column 'channel'. The config decides which are read"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {**RECORDING, "sources": [{"type": "command", "channels": [0], "source": "touch {folder}/ran"}]},
            r"the recording 'call' is a command, and audiopipe runs no commands. Received: 'touch ",
        ),
        (
            {**RECORDING, "sources": [{"type": "memory", "source": "AAAA"}]},
            "must be a file or a URL. Received: 'memory'",
        ),
        ({**RECORDING, "sources": [{"type": "shar", "source": ""}]}, "must be a file or a URL. Received: 'shar'"),
        ({**RECORDING, "sources": []}, "must have one file"),
        ({**RECORDING, "sources": RECORDING["sources"] * 2}, "must have one file.*Join its channels"),
        ({**RECORDING, "transforms": [{"name": "Speed", "kwargs": {"factor": 0.9}}]}, "transforms .*Received: Speed"),
        (SUPERVISION, "the supervision 's1' has no recording of its own"),
        ({"id": "m", "tracks": [], "type": "MixedCut"}, "MixedCut 'm' has no recording of its own"),
        ({"id": "p", "duration": 1.0, "type": "PaddingCut"}, "PaddingCut 'p' has no recording"),
        ({key: value for key, value in CUT.items() if key != "recording"}, "MonoCut 'call-0' has no recording"),
        ({**CUT, "start": "0"}, "a cut must have numbers as start and duration"),
        ({**CUT, "duration": 0}, "end after its start"),
    ],
)
def test_what_is_not_a_recording_in_one_file_is_refused(manifest, tmp_path, row, message):
    row = json.loads(json.dumps(row).replace("{folder}", str(tmp_path)))
    with pytest.raises(InputError, match=rf"cuts\.jsonl\.gz', line 2: .*{message}"):
        list(inputs.scan(manifest(CUT, row)))
    assert not (tmp_path / "ran").exists()


def test_a_row_that_is_not_from_lhotse_is_refused(manifest):
    with pytest.raises(InputError, match=r"line 2: expected a recording or a cut of lhotse. Received: \{'id': 3\}"):
        list(inputs.scan(manifest(CUT, {"id": 3})))


def test_a_manifest_with_paths_is_not_taken_for_supervisions(tmp_path):
    row = {"id": "a", "recording_id": "r", "start": 1.0, "duration": 2.0, "path": "a.wav"}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    [clip] = inputs.scan(tmp_path / "m.jsonl")
    assert (clip.id, clip.path, clip.start, clip.end) == ("a", f"{tmp_path}/a.wav", 1.0, 3.0)
