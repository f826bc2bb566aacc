"""Recomputation and comparison of feature sets with `verify`."""

import functools
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from damage import reindex, serialized, store_as
from typer.testing import CliRunner

from audiopipe import Transform, beam, cli
from audiopipe.errors import (
    ArgumentError,
    CorruptFeatureSetError,
    FeatureSetError,
    IncompleteFeatureSetError,
    InputError,
)
from audiopipe.verification import input_comparison
from audiopipe.verification.set_check import verify

DOORS = ["tf.data", "tf.data, padded", "datasets"]


@functools.cache
def shared_transform(config, **options):
    return Transform(config, **options)


@pytest.fixture(autouse=True)
def _traced_once(monkeypatch):
    """Traces the graphs of a config once for all tests of this file, because tracing takes long."""
    monkeypatch.setattr(input_comparison, "Transform", shared_transform)


def rewrite(folder, number, change):
    """Changes the records of a shard and makes `dataset.json` match, as a deliberate edit would."""
    path = sorted(folder.glob("*.tfrecord"))[number]
    examples = [tf.train.Example.FromString(item.numpy()) for item in tf.data.TFRecordDataset(str(path))]
    for example in examples:
        change(example.features.feature)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(serialized(example))
    reindex(folder)


def change_values(clip, change):
    """Returns a change of the feature of one clip, to be passed to `rewrite`."""

    def apply(entries):
        if entries["id"].bytes_list.value[0].decode() == clip:
            values = np.frombuffer(entries["feature"].bytes_list.value[0], "<f4").copy()
            change(values)
            entries["feature"].bytes_list.value[0] = values.tobytes()

    return apply


def cut(entries, n_frames):
    """Cuts a feature off after some frames."""
    entries["feature"].bytes_list.value[0] = entries["feature"].bytes_list.value[0][: n_frames * 129 * 4]
    for name in ("shape", "n_frames", "valid_frames"):
        entries[name].int64_list.value[0] = n_frames


@pytest.fixture
def manifest(clips, tmp_path):
    """Returns a function that writes a manifest of some clips."""

    def write(*names, **others):
        kept = [json.loads(line) for line in (clips / "manifest.jsonl").read_text().splitlines()]
        rows = [{"id": row["id"], "path": str(clips / row["path"])} for row in kept if row["id"] in names]
        rows += [{"id": name, "path": str(path)} for name, path in others.items()]
        (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return tmp_path / "manifest.jsonl"

    return write


def test_an_untouched_feature_set_agrees_in_every_bit(shared_feature_set, clips):
    report = verify(shared_feature_set, clips / "manifest.jsonl")
    assert report.ok
    assert [comparison.door for comparison in report.comparisons] == DOORS
    for comparison in report.comparisons:
        assert (comparison.clips, comparison.values) == (4, (38 + 23 + 43 + 8) * 129)
        assert (comparison.differing, comparison.max_difference, comparison.mean_difference) == (0, 0.0, 0.0)
        assert comparison.worst_clip is None
    assert (report.missing, report.unknown) == ([], [])


@pytest.mark.parametrize(("door", "names"), [("tfdata", DOORS[:2]), ("hf", DOORS[2:])])
def test_a_door_can_be_chosen(shared_feature_set, clips, door, names):
    report = verify(shared_feature_set, clips / "manifest.jsonl", door=door)
    assert [comparison.door for comparison in report.comparisons] == names
    assert report.ok


def test_an_unknown_door_is_refused(shared_feature_set, clips):
    with pytest.raises(ArgumentError, match=r"one of 'tfdata', 'hf', 'both'.*Received: door='beam'"):
        verify(shared_feature_set, clips, door="beam")


def test_one_changed_value_is_found_and_its_clip_named(feature_set, clips):
    def change(values):
        values[7] += 0.5

    rewrite(feature_set, 1, change_values("quiet", change))
    report = verify(feature_set, clips / "manifest.jsonl")
    assert not report.ok
    for comparison in report.comparisons:
        assert (comparison.differing, comparison.worst_clip) == (1, "quiet")
        assert comparison.max_difference == pytest.approx(0.5, abs=1e-5)
        assert comparison.mean_difference == pytest.approx(0.5 / comparison.values, rel=1e-3)
    command = ["verify", str(feature_set), "--input", str(clips / "manifest.jsonl"), "--door", "hf"]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 1
    assert result.stdout.count("quiet") == 1


def test_a_flip_of_the_lowest_bit_is_found(feature_set, clips):
    def change(values):
        values.view(np.uint32)[0] ^= 1

    rewrite(feature_set, 0, change_values("mono", change))
    [by_clip, _] = verify(feature_set, clips / "manifest.jsonl", door="tfdata").comparisons
    assert (by_clip.differing, by_clip.worst_clip) == (1, "mono")
    assert 0 < by_clip.max_difference < 1e-5


def test_a_feature_of_another_length_differs_in_every_value(feature_set, clips):
    def shorten(entries):
        if entries["id"].bytes_list.value[0] == b"mono":
            cut(entries, 37)

    rewrite(feature_set, 0, shorten)
    [by_clip, _] = verify(feature_set, clips / "manifest.jsonl", door="tfdata").comparisons
    assert (by_clip.differing, by_clip.worst_clip) == (37 * 129, "mono")
    assert by_clip.max_difference == float("inf")


def test_a_flipped_byte_is_found_and_the_file_named(feature_set, clips):
    path = sorted(feature_set.glob("*.tfrecord"))[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFeatureSetError, match=rf"{path.name}' does not have the checksum"):
        verify(feature_set, clips / "manifest.jsonl")


def test_a_clip_that_the_input_lacks_is_reported_and_the_others_are_compared(shared_feature_set, manifest):
    report = verify(shared_feature_set, manifest("mono", "stereo", "quiet", "broken"), door="tfdata")
    assert not report.ok
    assert (report.missing, report.unknown) == (["resampled"], [])
    assert [(comparison.clips, comparison.differing) for comparison in report.comparisons] == [(3, 0), (3, 0)]


def test_a_clip_that_the_feature_set_lacks_is_reported(shared_feature_set, clips, manifest):
    names = ("mono", "stereo", "resampled", "quiet", "broken")
    report = verify(shared_feature_set, manifest(*names, later=clips / "mono.wav"), door="tfdata")
    assert not report.ok
    assert (report.missing, report.unknown) == ([], ["later"])


@pytest.mark.parametrize(("dtype", "door", "count"), [("float16", "both", 3), ("bfloat16", "hf", 1)])
def test_computed_values_are_rounded_to_the_storage_dtype_before_the_comparison(feature_set, clips, dtype, door, count):
    store_as(feature_set, dtype)
    report = verify(feature_set, clips / "manifest.jsonl", door=door)
    assert report.ok
    assert [(comparison.clips, comparison.differing) for comparison in report.comparisons] == [(4, 0)] * count

    def flip(entries):
        if entries["id"].bytes_list.value[0] == b"quiet":
            content = bytearray(entries["feature"].bytes_list.value[0])
            content[6] ^= 1  # the lowest bit of the fourth value
            entries["feature"].bytes_list.value[0] = bytes(content)

    rewrite(feature_set, 1, flip)
    [comparison] = verify(feature_set, clips / "manifest.jsonl", door="hf").comparisons
    assert (comparison.differing, comparison.worst_clip) == (1, "quiet")


def test_an_input_in_another_order_agrees(shared_feature_set, clips, tmp_path):
    lines = (clips / "manifest.jsonl").read_text().splitlines()
    for name in ("mono.wav", "stereo.flac", "resampled.wav", "quiet.wav", "broken.wav"):
        shutil.copy(clips / name, tmp_path)
    (tmp_path / "manifest.jsonl").write_text("\n".join(reversed(lines)))
    assert verify(shared_feature_set, tmp_path / "manifest.jsonl", door="hf").ok


def test_an_input_without_any_clip_of_the_feature_set_is_refused(shared_feature_set, clips, manifest):
    source = manifest(other=clips / "mono.wav")
    with pytest.raises(InputError, match=r"has none of the 4 clips of '.*features'\. The first clip is 'mono'"):
        verify(shared_feature_set, source)


def test_audio_that_was_replaced_differs(shared_feature_set, clips, manifest):
    names = ("stereo", "resampled", "quiet", "broken")
    report = verify(shared_feature_set, manifest(*names, mono=clips / "resampled.wav"), door="hf")
    [comparison] = report.comparisons
    assert comparison.worst_clip == "mono"
    assert comparison.differing > 0


@pytest.mark.parametrize("door", ["tfdata", "hf"])
def test_a_stored_clip_whose_audio_can_no_longer_be_read_is_named(shared_feature_set, clips, manifest, door):
    source = manifest("stereo", "resampled", "quiet", mono=clips / "broken.wav")
    with pytest.raises(FeatureSetError, match=r"can no longer be read: .*broken\.wav"):
        verify(shared_feature_set, source, door=door)


@pytest.mark.parametrize("door", ["tfdata", "hf"])
def test_a_stored_clip_whose_file_is_gone_is_named_without_a_trace(shared_feature_set, clips, manifest, door, tmp_path):
    source = manifest("stereo", "resampled", "quiet", mono=tmp_path / "gone.wav")
    with pytest.raises(FeatureSetError) as raised:
        verify(shared_feature_set, source, door=door)
    place = tmp_path / "gone.wav"
    message = (
        f"The audio of a stored clip can no longer be read: Could not read {str(place)!r}: No such file or directory."
    )
    assert str(raised.value) == message


def test_the_progress_of_a_verification_counts_records_and_the_clips_of_each_door(shared_feature_set, manifest):
    steps = []
    source = manifest("mono", "stereo", "resampled", "quiet", "broken")
    verify(shared_feature_set, source, progress=lambda *step: steps.append(step))
    names = ["checking records", *(f"recomputing clips with {door}" for door in DOORS)]
    assert [step for step in steps if step[1] == 0] == [(name, 0, 4) for name in names]
    assert [step for step in steps if step[1] == 4] == [(name, 4, 4) for name in names]


def test_an_unfinished_feature_set_is_refused(tmp_path, clips):
    with pytest.raises(IncompleteFeatureSetError, match=r"no dataset\.json"):
        verify(tmp_path, clips)


def nudge(values):
    values[0] += 0.25


def test_differences_within_the_tolerance_are_accepted_and_reported(feature_set, clips):
    rewrite(feature_set, 0, change_values("mono", nudge))
    for tolerance, ok in ((None, False), (0.0, False), (0.2, False), (0.26, True)):
        report = verify(feature_set, clips / "manifest.jsonl", door="hf", tolerance=tolerance)
        assert report.ok == ok
        assert report.comparisons[0].differing == 1


def test_another_shape_exceeds_every_tolerance(feature_set, clips):
    def shorten(entries):
        cut(entries, 1)

    rewrite(feature_set, 0, shorten)
    assert not verify(feature_set, clips / "manifest.jsonl", door="hf", tolerance=1e30).ok


def test_a_sample_is_spread_over_the_set_and_the_same_every_time(clips, config, tmp_path):
    names = [f"{number:02d}" for number in range(12)]
    lines = [json.dumps({"id": name, "path": str(clips / "quiet.wav")}) for name in names]
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines))
    beam.precompute(tmp_path / "manifest.jsonl", tmp_path / "features", config, num_shards=3)

    def nudge(entries):
        # Each clip differs by its own power of two, so the sum of the differences shows which clips were compared.
        number = int(entries["id"].bytes_list.value[0])
        change_values(names[number], lambda values: np.add(values[:1], 2.0**number, out=values[:1]))(entries)

    for shard in range(3):
        rewrite(tmp_path / "features", shard, nudge)
    samples = []
    for _ in range(2):
        [comparison] = verify(tmp_path / "features", tmp_path / "manifest.jsonl", door="hf", sample=3).comparisons
        assert (comparison.clips, comparison.differing) == (3, 3)
        total = round(comparison.mean_difference * comparison.values)
        samples.append([number for number in range(12) if total >> number & 1])
    assert samples[0] == samples[1]
    assert [number // 4 for number in samples[0]] == [0, 1, 2]


@pytest.mark.parametrize("sample", [4, 100])
def test_a_sample_at_least_as_large_as_the_set_is_the_whole_set(shared_feature_set, clips, sample):
    [comparison] = verify(shared_feature_set, clips / "manifest.jsonl", door="hf", sample=sample).comparisons
    assert comparison.clips == 4


@pytest.mark.parametrize("arguments", [{"sample": 0}, {"tolerance": -1.0}, {"tolerance": float("nan")}])
def test_an_invalid_sample_or_tolerance_is_refused(shared_feature_set, clips, arguments):
    [(name, value)] = arguments.items()
    with pytest.raises(ArgumentError, match=f"{name} must be .* Received: {name}={value}"):
        verify(shared_feature_set, clips / "manifest.jsonl", **arguments)


def test_the_command_takes_sample_and_tolerance(feature_set, clips):
    rewrite(feature_set, 0, change_values("mono", nudge))
    command = ["verify", str(feature_set), "--input", str(clips / "manifest.jsonl"), "--door", "hf"]
    results = [CliRunner().invoke(cli.app, [*command, *more]) for more in (["--all"], ["--tolerance", "0.5"])]
    assert [result.exit_code for result in results] == [1, 0]
    assert "shards: 2, with 4 records; checksums and counts agree" in results[0].stdout
    assert "Every difference is within 0.5." in results[1].stdout
    assert CliRunner().invoke(cli.app, [*command, "--sample", "1", "--all"]).exit_code == 2
