"""What features and segments leave out and pad is counted and named, after every kind of job."""

import functools
import json

import numpy as np
import pytest
import soundfile
from jobs import interrupted
from typer.testing import CliRunner

from audiopipe import Segments, beam, cli, configs, merge
from audiopipe.precompute import planning
from audiopipe.verification import verify

RATE = 16000
CHUNK = configs.WhisperLogMel(n_mels=2, chunk_seconds=0.1, output_data_format="channels_last")
MEL = configs.MelSpectrogram(sample_rate=RATE, n_fft=256, n_mels=2, hop_length=160)


def write(folder, **seconds):
    folder.mkdir(exist_ok=True)
    for name, length in seconds.items():
        soundfile.write(folder / f"{name}.wav", np.random.default_rng(0).uniform(-0.5, 0.5, round(length * RATE)), RATE)
    return folder


def ends(made):
    return {name: made.counts.get(name) for name in ("cut_clips", "dropped_seconds", "padded_seconds")}


def expected(cut=None, dropped=None, padded=None):
    return {"cut_clips": cut, "dropped_seconds": pytest.approx(dropped), "padded_seconds": pytest.approx(padded)}


def test_clips_longer_than_the_feature_are_counted_and_named_after_every_job(tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "SMALL_SHARD", 1)
    clips = write(tmp_path / "in", a=0.05, b=0.1, c=0.35, d=0.2)
    (clips / "e.wav").write_bytes(b"no audio")
    run = functools.partial(beam.precompute, clips, tmp_path / "out", CHUNK, num_shards=4, max_failure_ratio=1)
    interrupted(run, monkeypatch, after=3)
    made = run()
    assert ends(made) == expected(2, 0.35)
    assert [(remark["id"], remark["remark"]) for remark in made.remarks()] == [
        ("c.wav", "the clip has 0.35 s, and 0.25 s beyond 0.1 s were left out"),
        ("d.wav", "the clip has 0.2 s, and 0.1 s beyond 0.1 s were left out"),
    ]
    assert [clip["valid_frames"] for clip in made] == [5, 10, 10, 10]
    write(clips, e=0.15)
    assert ends(run(retry_failures=True)) == expected(3, 0.4)
    write(clips, a=0.3, d=0.04)
    (clips / "c.wav").unlink()
    assert ends(run(update=True)) == expected(2, 0.25)
    write(clips, a=0.1, e=0.02)
    made = run(update=True)
    assert ends(made) == expected()
    assert not made.counts.keys() & ends(made).keys()
    assert made.remarks() == []
    assert {clip["id"]: clip["valid_frames"] for clip in made} == {"a.wav": 10, "b.wav": 10, "d.wav": 4, "e.wav": 2}
    assert made.metadata["valid_frames"].to_pylist() == [clip["valid_frames"] for clip in made]
    assert verify(made.path, clips, door="tfdata").ok


@pytest.mark.parametrize(
    ("last", "counted"),
    [("drop", expected(1, 0.05 + 0.04)), ("pad", expected(None, None, 0.05 + 0.06))],
)
def test_ends_that_segments_leave_out_or_pad_are_counted(tmp_path, last, counted):
    clips = write(tmp_path / "in", even=0.3, long=0.25, short=0.04)
    segments = Segments(seconds=0.1, last=last)
    made = beam.precompute(clips, tmp_path / "out", MEL, segments=segments)
    assert ends(made) == counted
    assert [remark["id"] for remark in made.remarks()] == ["long.wav", "short.wav"]
    write(clips, more=0.15)
    updated = beam.precompute(clips, tmp_path / "out", MEL, segments=segments, update=True)
    clean = beam.precompute(clips, tmp_path / "clean", MEL, segments=segments)
    assert updated.counts == clean.counts
    halves = []
    for names in (["even", "long"], ["more", "short"]):
        paths = [clips / f"{name}.wav" for name in names]
        halves.append(beam.precompute(paths, tmp_path / names[0], MEL, segments=segments).path)
    merged = merge(halves, tmp_path / "merged", prefix=["a/", "b/"])
    assert ends(merged) == {name: value and pytest.approx(value) for name, value in ends(clean).items()}
    assert verify(merged.path).ok
    if last == "pad":
        valid = {clip["id"].rpartition("/")[2]: clip["valid_frames"] for clip in merged}
        assert valid == {clip["id"]: clip["valid_frames"] for clip in clean}


def test_a_segment_longer_than_the_feature_loses_its_audio_and_not_its_padding(tmp_path):
    clips = write(tmp_path / "in", a=0.27)
    made = beam.precompute(clips, tmp_path / "out", CHUNK, segments=Segments(seconds=0.15, last="pad"))
    assert ends(made) == expected(2, 0.05 + 0.02, 0.03)
    assert [clip["valid_frames"] for clip in made] == [10, 10]
    assert [remark["id"] for remark in made.remarks()] == ["a.wav#00000", "a.wav#00001", "a.wav"]
    assert verify(made.path).ok


def test_the_commands_say_how_many_clips_were_cut_and_how_much_was_dropped(tmp_path):
    clips = write(tmp_path / "in", a=0.05, b=0.35)
    (tmp_path / "config.json").write_text(CHUNK.to_json())
    output = str(tmp_path / "out")
    command = ["precompute", str(clips), output, "--config", str(tmp_path / "config.json")]
    line = "0.25 s: the end of 1 clip"
    done = CliRunner().invoke(cli.app, command)
    assert line in done.output, done.output
    assert "remark: 1 x " in done.output
    assert line in CliRunner().invoke(cli.app, ["inspect", output]).output
    facts = json.loads(CliRunner().invoke(cli.app, ["inspect", output, "--json"]).output)["counts"]
    assert (facts["cut_clips"], facts["dropped_seconds"]) == (1, 0.25)
    assert "padded_seconds" not in facts
    merged = CliRunner().invoke(
        cli.app, ["merge", output, output, str(tmp_path / "both"), "--prefix", "a", "--prefix", "b"]
    )
    assert "0.5 s: the ends of 2 clips" in merged.output, merged.output
    segments = ["--segment-seconds", "0.1", "--overwrite", "--log-json"]
    for last, name, seconds in (("drop", "dropped_seconds", 0.1), ("pad", "padded_seconds", 0.1)):
        run = CliRunner().invoke(cli.app, [*command, *segments, "--segment-last", last])
        event = json.loads(run.stdout.splitlines()[-1])
        assert (event["event"], event[name]) == ("finished", pytest.approx(seconds))
