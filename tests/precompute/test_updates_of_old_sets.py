"""Updates of feature sets that release 0.1 wrote: they get the format of today, and keep their values."""

import json
import os
import shutil
from pathlib import Path

import pytest
from corpora import content
from damage import edit
from killing import survived

from audiopipe import beam, configs, load
from audiopipe.errors import InputChangedError
from audiopipe.feature_sets import index
from audiopipe.feature_sets.description import Description, sha256
from audiopipe.precompute import holdings
from audiopipe.transform.segments import Segments

DATA = Path(__file__).parents[1] / "data" / "v0.1"
FIXED = {"input_data_format": "channels_last", "output_data_format": "channels_last"}
MEL = configs.MelSpectrogram(sample_rate=8000, n_fft=256, hop_length=100, n_mels=20, return_decibel=True, **FIXED)
STFT = configs.StftMagnitude(sample_rate=8000, n_fft=64, hop_length=32, **FIXED)
SETS = {
    "features": (MEL, {}),
    "segments-float16": (STFT, {"dtype": "float16", "segments": Segments(seconds=0.1, hop=0.05, last="pad")}),
}


@pytest.fixture(params=SETS)
def old(request, tmp_path):
    """A feature set whose plan says where its clips are now: the clips, the set, and functions that run and plan it."""
    clips = shutil.copytree(DATA / "clips", tmp_path / "clips")
    output = shutil.copytree(DATA / request.param, tmp_path / "out")
    file = output / "plan" / "clips-00000.jsonl"
    lines = file.read_text().splitlines()
    for number, line in enumerate(lines[1:], 1):
        clip = json.loads(line)
        clip["path"] = str(clips / os.path.basename(clip["path"]))
        clip["version"] = str(os.stat(clip["path"]).st_mtime_ns)
        lines[number] = json.dumps(clip, sort_keys=True, separators=(",", ":"))
    file.write_text("".join(f"{line}\n" for line in lines))
    config, options = SETS[request.param]

    def run(**more):
        return beam.precompute(clips / "manifest.jsonl", output, config, **{**options, "max_failure_ratio": 1, **more})

    def estimate():
        return beam.estimate(clips / "manifest.jsonl", config, output=output, update=True, **options)

    return clips, str(output), run, estimate


def features(output):
    description = Description.open(output)
    return {element["id"]: element["feature"].tobytes() for element in load(output).as_numpy_iterator()}, description


def forge(path):
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
def test_an_update_keeps_the_values_and_writes_the_format_of_today(old):
    clips, output, run, estimate = old
    before, described = features(output)
    assert described.format_version == 1
    run()  # nothing changed, so the feature set stays, with what its plan says about the audio
    assert Description.open(output).format_version == 1
    for name in ("mono.wav", "stereo.flac", "resampled.wav"):
        forge(clips / name)
    assert estimate().changes.kept == 3
    run(update=True, keep_old=0)
    after, described = features(output)
    assert (described.format_version, described.generation) == (2, 1)
    assert after == before
    unknown = described.counts.get("unknown_valid_frames")
    assert unknown == (None if described.segments is None else len(after))  # release 0.1 did not store padding
    assert not [name for name in os.listdir(output) if "-of-" in name]
    assert os.listdir(os.path.join(output, "plan")) == ["lock"]
    sources = index.opened(described).column("source").to_pylist()
    assert {os.path.basename(source["path"]) for source in sources} == {"mono.wav", "stereo.flac", "resampled.wav"}
    assert [source["digest"] for source in sources] == [None] * len(sources)


def test_moved_clips_are_compared_by_size_and_time_and_it_is_said(old, tmp_path):
    clips, output, _, estimate = old
    assert estimate().changes.without_digest == 0
    file = Path(output) / "plan" / "clips-00000.jsonl"
    file.write_text(file.read_text().replace(f"{clips}/", "/elsewhere/clips/"))
    changes = estimate().changes
    assert (changes.kept, changes.changed, changes.without_digest) == (3, 0, 3)
    status = (clips / "mono.wav").stat()
    os.utime(clips / "mono.wav", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    changes = estimate().changes
    assert (changes.kept, changes.changed, changes.without_digest) == (2, 1, 2)


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::audiopipe.errors.MachineWarning")
@pytest.mark.parametrize("old", ["features", pytest.param("segments-float16", marks=pytest.mark.faults)], indirect=True)
def test_an_interrupted_update_still_notices_what_changed(old, tmp_path):
    clips, output, run, _ = old
    shutil.copyfile(clips / "resampled.wav", clips / "mono.wav")
    with pytest.raises(InputChangedError, match="'mono' has changed"):
        run()
    before = features(output)[0]
    copy = shutil.copytree(output, tmp_path / "copy")
    run(update=True, keep_old=0)
    expected = content(output)
    for step in (3, 5, 6, 12):  # before and after the new plan counts, and when shards are published
        shutil.rmtree(output)
        shutil.copytree(copy, output)
        survived(output, step, lambda: run(update=True, keep_old=0))
        if Description.open(output).format_version == 1:
            assert features(output)[0] == before
        run(update=True, keep_old=0)
        assert content(output) == expected


def test_a_recording_that_was_too_short_for_a_segment_is_still_known_as_such(tmp_path):
    output = shutil.copytree(DATA / "segments-float16", tmp_path / "out")
    with open(output / "plan" / "clips-00000.jsonl", "a") as file:
        file.write('{"id":"tiny","path":"/clips/tiny.wav","size":44,"version":"1"}\n')
    made = [("mono", "decode", "the end is missing"), ("tiny", "feature", "the recording has 0 s and gives no segment")]
    remarks = [{"id": name, "path": "", "stage": stage, "remark": remark} for name, stage, remark in made]
    (output / "remarks.jsonl").write_text("".join(json.dumps(remark) + "\n" for remark in remarks))

    def describe(content):
        content["counts"] |= {"remarks": 2, "short_recordings": 1, "left_out": 0}
        content["remarks_sha256"] = sha256(str(output / "remarks.jsonl"))

    edit(output, describe)
    held = holdings.of_feature_set(Description.open(output))
    assert list(held.short) == ["tiny"]
    assert held.remarks == [remarks[0], {**remarks[1], "short": True}]
