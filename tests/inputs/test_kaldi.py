"""Data folders of Kaldi are read, and their commands are refused by name and never run."""

import pytest

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import InputOptions, ScanReport, Source


@pytest.fixture
def data(tmp_path):
    def write(**contents):
        for name, content in contents.items():
            (tmp_path / name.replace("wav_scp", "wav.scp")).write_text(content)
        return tmp_path

    return write


SCP = "call-a call a.wav\ncall-b /elsewhere/b.flac\n"
SEGMENTS = "a-1 call-a 0.0 2.5\na-2\tcall-a\t2.5 -1\nb-1 call-b 10 12.25\n"


@pytest.mark.parametrize("name", ["", "wav.scp"])
def test_a_data_folder_with_segments_has_an_utterance_for_each(data, name):
    folder = data(
        wav_scp=SCP,
        segments=SEGMENTS,
        text="a-1 hello  there\na-2\nb-1 Zoë\n",
        utt2spk="a-1 ann\na-2 ann\nb-1 bob\n",
        spk2gender="ann f\nbob m\n",
    )
    report = ScanReport()
    ann = {"speaker": "ann", "gender": "f", "recording": "call-a"}
    bob = {"speaker": "bob", "gender": "m", "recording": "call-b"}
    assert list(inputs.scan(folder / name, report=report)) == [
        Source(
            "a-1", f"{folder}/call a.wav", None, {"text": "hello  there", **ann, "start": 0.0, "end": 2.5}, 0.0, 2.5
        ),
        Source("a-2", f"{folder}/call a.wav", None, {"text": "", **ann, "start": 2.5, "end": None}, 2.5, None),
        Source("b-1", "/elsewhere/b.flac", None, {"text": "Zoë", **bob, "start": 10.0, "end": 12.25}, 10.0, 12.25),
    ]
    assert report.notes == ([] if name else ["read as the manifest wav.scp"])


def test_without_segments_each_recording_is_an_utterance(data):
    folder = data(wav_scp=SCP, utt2spk="call-a ann\ncall-b bob\n", utt2lang="call-b nl\n")
    assert list(inputs.scan(folder)) == [
        Source("call-a", f"{folder}/call a.wav", metadata={"speaker": "ann", "language": None}),
        Source("call-b", "/elsewhere/b.flac", metadata={"speaker": "bob", "language": "nl"}),
    ]


def test_values_in_another_order_belong_to_their_utterances(data):
    names = [f"u{number:03d}" for number in range(100)]
    folder = data(
        wav_scp="".join(f"{name} {name}.wav\n" for name in names),
        text="".join(f"{name} text of {name}\n" for name in reversed(names[1:])) + "u999 of nobody\n",
    )
    report = ScanReport()
    texts = {clip.id: clip.metadata["text"] for clip in inputs.scan(folder, report=report)}
    assert texts == {"u000": None, **{name: f"text of {name}" for name in names[1:]}}
    assert report.notes == ["read as the manifest wav.scp", "1 value of 'text' for no utterance"]


def test_recordings_without_a_segment_are_counted(data):
    report = ScanReport()
    folder = data(wav_scp=SCP, segments="a-1 call-a 0 1 2\n")
    [clip] = inputs.scan(folder, report=report)
    assert clip.metadata == {"recording": "call-a", "start": 0.0, "end": 1.0, "channel": "2"}
    assert report.notes[-1] == "1 recording of wav.scp without a segment, not read"


@pytest.mark.parametrize("command", ["sph2pipe -f wav x.sph |", "touch {folder}/ran; cat a.wav|", "| cat", "-"])
@pytest.mark.parametrize("segments", [None, "a-1 call-a 0 1\n"])
def test_a_command_is_refused_by_name_and_not_run(data, command, segments):
    folder = data(wav_scp="")
    command = command.format(folder=folder)
    data(wav_scp=f"call-a a.wav\ncall-b {command}\n", **({"segments": segments} if segments else {}))
    for source in (folder, folder / "wav.scp"):
        with pytest.raises(
            InputError, match=r"wav\.scp', line 2: the recording 'call-b' is a command.*runs no commands"
        ):
            list(inputs.scan(source))
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("scp", "segments", "message"),
    [
        ("a", "", r"wav\.scp', line 1: expected an id and the path of an audio file. Received: 'a' with ''"),
        ("a x.ark:123", "", r"wav\.scp', line 1: .*Extract archives"),
        ("a a.wav\na b.wav", "u a 0 1", r"wav\.scp', line 2: each recording must .*'a'"),
        ("a a.wav", "u b 0 1", r"segments', line 1: .*wav\.scp' has no recording 'b'"),
        ("a a.wav", "u a 0 1\nv a 3", r"segments', line 2: expected the ids .*'v a 3'"),
        ("a a.wav", "u a 0 1\nv a 3 2", r"segments', line 2: a stretch must .*end after its start"),
        ("a a.wav", "u a x 2", r"segments', line 1: start must be a number"),
        ("a a.wav\na b.wav", None, "have the id 'a'"),
    ],
)
def test_malformed_files_are_refused_with_the_line(data, scp, segments, message):
    folder = data(wav_scp=scp, **({} if segments is None else {"segments": segments}))
    with pytest.raises(InputError, match=message):
        list(inputs.scan(folder))


def test_options_that_name_columns_are_refused(data):
    with pytest.raises(InputError, match="path_column and id_column cannot be used"):
        list(inputs.scan(data(wav_scp=SCP), InputOptions(path_column="x")))
    with pytest.raises(InputError, match="label_from_folder needs a folder or a glob of audio"):
        list(inputs.scan(data(wav_scp=SCP), InputOptions(label_from_folder=True)))


def test_paths_may_be_relative_to_the_working_folder(tmp_path, monkeypatch):
    (tmp_path / "data/train").mkdir(parents=True)
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio/a.wav").touch()
    (tmp_path / "data/train/wav.scp").write_text("a audio/a.wav\nb audio/b.wav\n")
    monkeypatch.chdir(tmp_path)
    report = ScanReport()
    found = [clip.path for clip in inputs.scan("data/train", report=report)]
    assert found == [f"{tmp_path}/audio/a.wav", f"{tmp_path}/audio/b.wav"]
    assert f"the paths are relative to the working folder, '{tmp_path}'" in report.notes
    (tmp_path / "data/train/audio").mkdir()
    (tmp_path / "data/train/audio/a.wav").touch()
    assert next(inputs.scan("data/train")).path == f"{tmp_path}/data/train/audio/a.wav"
