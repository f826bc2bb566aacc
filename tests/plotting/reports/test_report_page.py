"""Reports as files: what they say, what they escape, and how they are written."""

import dataclasses
import html.parser
import json
import os
import re
import sys
from collections import Counter

import numpy as np
import pytest
import soundfile
import synthetic_sets
from synthetic_sets import COLUMNS, feature

from audiopipe import FeatureSet, beam, configs, registry
from audiopipe.errors import (
    ArgumentError,
    ConfigError,
    IncompleteFeatureSetError,
    InputError,
    MissingDependencyError,
)
from audiopipe.feature_sets.description import sha256
from audiopipe.inputs.columns import Columns
from audiopipe.plotting import write_report
from audiopipe.plotting.reports import groups, inline_svg, sides
from audiopipe.transform.segments import Segments

SCRIPT = "<script>alert(1)</script>"
VOID = {"meta", "link", "br"}


class Page(html.parser.HTMLParser):
    """Elements, ids and texts of a page."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text()
        self.tags, self.attributes, self.open = Counter(), [], []
        self.texts: list[str] = []
        self.sections: dict[str, str] = {}
        self._section = ""
        self.feed(self.source)
        self.text = " ".join(" ".join(self.texts).split())
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += attributes
        if tag == "section":
            self._section = dict(attributes)["id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags[tag] += 1
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)
            self.sections[self._section] = self.sections.get(self._section, "") + " ".join(data.split()) + " "

    def values_of(self, name):
        return [value for attribute, value in self.attributes if attribute == name]


def report(feature_set, folder, n_clips=2, **options):
    path = folder / "report.html"
    write_report(feature_set, path, n_clips=n_clips, **options)
    return Page(path)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "features"
    clips = {
        f"clip {number}": (feature(20 + number, seed=number) + number, {"label": ["cat", "dog"][number % 3 > 0]})
        for number in range(9)
    }
    synthetic_sets.write(folder, clips, columns=COLUMNS)
    return folder


def test_a_report_says_what_a_set_is(shared_feature_set, tmp_path, config):
    page = report(shared_feature_set, tmp_path, n_clips=12)
    sets = FeatureSet(shared_feature_set)
    assert page.source.startswith("<!doctype html>")
    assert config.fingerprint in page.sections["feature"]
    assert "StftMagnitude" in page.sections["feature"]
    for name, value in config.to_dict().items():
        assert name == "feature" or f"{name} {value}" in page.sections["feature"], name
    assert re.search(r"clips 4 .*failures 1 .*remarks 0 ", page.text)
    assert "Every bin" not in page.text
    assert f"{sets.counts['frames']:,} frames that hold audio" in page.sections["statistics"].replace("all ", "")
    assert "broken" in page.sections["failures"]
    assert "it is text instead of audio" in page.sections["failures"]
    assert "float32" in page.sections["storage"]
    assert str(sets.machines[0]["versions"]["tensorflow"]) in page.sections["storage"]
    assert all(f"{clip_id} " in page.sections["clips"] for clip_id in ("mono", "stereo", "resampled", "quiet"))


def test_a_report_is_complete_in_itself(shared_feature_set, clips, tmp_path):
    page = report(shared_feature_set, tmp_path, input=clips / "manifest.jsonl")
    assert page.tags["script"] == page.tags["iframe"] == page.tags["object"] == 0
    links = [*page.values_of("src"), *page.values_of("href"), *page.values_of("xlink:href")]
    assert {link.partition(":")[0] if ":" in link else link[:1] for link in links} == {"data", "#"}
    assert "default-src 'none'" in page.source
    assert not re.search(r"@import|url\((?!#)", page.source)
    ids = page.values_of("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert page.tags["audio"] == 2 + 2  # random clips, and unusual ones
    assert os.path.getsize(tmp_path / "report.html") < 500_000


def test_the_same_arguments_give_the_same_bytes(synthetic, tmp_path):
    first = report(synthetic, tmp_path, n_clips=3).source
    assert report(synthetic, tmp_path, n_clips=3).source == first
    assert report(synthetic, tmp_path, n_clips=3, seed=1).source != first


def test_texts_of_strangers_stay_text(tmp_path):
    folder = tmp_path / f"{'<b>set</b>'} & 'co'"
    names = {"id": SCRIPT, "speaker": '"><img src=x onerror=alert(2)>', "label": "</style><script>alert(3)</script>"}
    column = "<i>note</i>"
    types = Columns(types={"speaker": "string", "label": "int", column: "string"}, classes={"label": [names["label"]]})
    metadata = {"speaker": names["speaker"], "label": names["label"], column: "{{ 7 * 7 }}\u202e"}
    clips = {names["id"]: (feature(9), metadata), "b": (feature(8), metadata)}
    synthetic_sets.write(folder, clips, columns=types, notes=[SCRIPT])
    page = report(folder, tmp_path)
    assert page.tags["script"] == page.tags["img"] == page.tags["b"] == 0
    assert page.tags["i"] == page.source.count("<i class")  # bars
    assert SCRIPT in page.sections["clips"]
    for text in (*names.values(), column, r"{{ 7 * 7 }}\u202e"):
        assert text in page.text
    assert "<b>set</b> & 'co'" in page.text
    assert SCRIPT in page.sections["storage"]
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_errors_of_strangers_stay_text(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    soundfile.write(folder / "good.wav", np.zeros(8000), 8000)
    (folder / "<script>alert(1)<").write_bytes(b"")
    (folder / "manifest.csv").write_text("id,path\ngood,good.wav\nbad,<script>alert(1)<.wav\n")
    config = configs.StftMagnitude(sample_rate=8000, n_fft=256)
    beam.precompute(folder / "manifest.csv", tmp_path / "features", config, max_failure_ratio=1)
    page = report(tmp_path / "features", tmp_path)
    assert page.tags["script"] == 0
    assert "<script>alert(1)<.wav" in page.sections["failures"]


def test_text_in_figures_is_escaped():
    from audiopipe.plotting import images

    figure = images.new_figure(3, 2)
    figure.subplots().set_xlabel(SCRIPT)
    svg = inline_svg.inlined(figure, 7, '"><script>')
    assert "<script" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in svg
    assert 'aria-label="&#34;&gt;&lt;script&gt;"' in svg


def test_a_set_without_clips_has_a_report(tmp_path):
    synthetic_sets.write(tmp_path / "features", {}, columns=COLUMNS, shards=[])
    page = report(tmp_path / "features", tmp_path)
    assert "The set has no clips." in page.sections["durations"]
    assert "no clip has a frame" in page.sections["statistics"]
    assert "clips" not in page.sections


def test_a_set_of_failures_only_has_a_report(clips, tmp_path):
    folder = tmp_path / "features"
    description = synthetic_sets.write(folder, {}, shards=[])
    line = json.dumps({"id": SCRIPT, "path": "", "stage": "read", "error": f"no {SCRIPT}"})
    (folder / "failures-00000001.jsonl").write_text(line)
    facts = {
        "name": "failures-00000001.jsonl",
        "bytes": len(line),
        "sha256": sha256(str(folder / "failures-00000001.jsonl")),
    }
    description.counts["failures"] = 1
    dataclasses.replace(description, failures_file=facts).write()
    page = report(folder, tmp_path, input=clips / "manifest.jsonl")
    assert re.search(r"clips 0 .*failures 1 ", page.text)
    assert f"read: no {SCRIPT}" in page.sections["failures"]
    assert page.tags["audio"] == page.tags["script"] == 0


def test_statistics_that_are_not_stored_are_estimated_and_it_says_so(synthetic, tmp_path, monkeypatch):
    assert "Over all 216 frames" in report(synthetic, tmp_path).sections["statistics"]  # all clips are in the sample
    monkeypatch.setattr("audiopipe.plotting.reports.samples.MOST_CLIPS", 4)
    text = report(synthetic, tmp_path).sections["statistics"]
    assert re.search(r"An estimate from \d+ frames of 4 of 9 clips, chosen at random\.", text)


def test_the_most_unusual_clip_comes_first(synthetic, tmp_path):
    page = report(synthetic, tmp_path, n_clips=1)
    found = [float(number) for number in re.findall(r"distance ([\d.]+)", page.sections["unusual"])]
    assert len(found) == 4
    assert found == sorted(found, reverse=True)
    assert {f"clip {number}" in page.sections["unusual"] for number in (0, 8)} == {True}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_parts_segments_and_dtypes_have_reports(clips, config, tmp_path, dtype):
    segments = Segments(seconds=0.1, last="pad")
    beam.precompute(clips / "manifest.jsonl", tmp_path / "features", config, parts=2, dtype=dtype, segments=segments)
    page = report(tmp_path / "features", tmp_path, input=clips / "manifest.jsonl")
    assert "parts 2 " in page.sections["storage"]
    assert dtype in page.sections["storage"]
    assert "padding of last segments" in page.sections["storage"]
    assert page.tags["audio"] == 2 + 6
    assert "cannot be read" not in page.text


def test_a_merged_set_has_a_report(shared_feature_set, clips, tmp_path):
    from audiopipe.precompute import merging

    merging.merge([str(shared_feature_set)] * 2, str(tmp_path / "merged"), ["a/", "b/"])
    page = report(tmp_path / "merged", tmp_path)
    assert re.search(r"clips 8 .*failures 2 ", page.text)
    with pytest.raises(ArgumentError):
        report(tmp_path / "merged", tmp_path, n_clips=-1)


@pytest.mark.parametrize(
    "made",
    [
        registry.get("whisper-80"),
        configs.Mfcc(sample_rate=8000, n_fft=256),
        configs.StftMagPhase(sample_rate=8000, n_fft=256, channels=None),
        configs.NormalizedWaveform(sample_rate=8000),
        synthetic_sets.CHANNELS_FIRST,
    ],
    ids=lambda made: type(made).__name__,
)
def test_any_feature_has_a_report(made, tmp_path):
    noise = np.random.default_rng(0).standard_normal((9000, 2)) / 10
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.wav", noise[: 9000 - number], 8000)
    beam.precompute(tmp_path, tmp_path / "features", made)
    page = report(tmp_path / "features", tmp_path, input=tmp_path)
    assert page.tags["svg"] >= 2 + 2 + 1  # clips and statistics
    assert page.tags["audio"] == 2 + 2


def test_views_and_normalized_views_have_reports(shared_feature_set, tmp_path):
    sets = FeatureSet(shared_feature_set)
    view = sets.where(clean=True)
    page = report(view, tmp_path)
    assert "The report is about 2 clips of this set." in page.text
    assert re.search(r"clips 2 ", page.text)
    page = report(sets.normalized(sets.statistics), tmp_path)
    assert "standardization Standardization(129 bins" in page.sections["feature"]
    assert "standard deviations" in page.sections["clips"]


def test_two_sets_of_one_feature_are_shown_side_by_side(shared_feature_set, tmp_path):
    sets = FeatureSet(shared_feature_set)
    page = report(sets, tmp_path, compare=sets.select(["mono", "quiet"]), n_clips=4)
    assert "Both sets have the same feature" in page.text
    assert re.search(r"clips A 4 B 2 ", page.text)
    assert "A: mean" in page.text
    assert "B: mean" in page.text
    assert page.sections["clips-a"].count("A ") >= 4
    assert "clips-b" not in page.sections  # its clips are beside those of A
    assert page.tags["svg"] == 3 + 4 + 2 + 2 + 2 + 1 + 1


def test_two_features_are_compared_field_by_field(shared_feature_set, clips, config, tmp_path):
    other = dataclasses.replace(config, hop_length=50)
    beam.precompute(clips / "manifest.jsonl", tmp_path / "other", other)
    page = report(shared_feature_set, tmp_path, compare=tmp_path / "other", n_clips=2)
    assert "The sets have different features" in page.text
    assert "hop_length 100 50 " in page.sections["feature"]
    assert page.sections["feature"].index("hop_length") < page.sections["feature"].index("n_fft")


def test_sets_without_common_clips_have_clips_of_their_own(shared_feature_set, synthetic, tmp_path):
    page = report(shared_feature_set, tmp_path, compare=synthetic, n_clips=2)
    assert {"clips-a", "clips-b", "unusual-a", "unusual-b"} <= set(page.sections)


def test_no_clips_are_shown_if_none_are_asked_for(synthetic, tmp_path):
    page = report(synthetic, tmp_path, n_clips=0)
    assert "clips" not in page.sections
    assert "unusual" not in page.sections


def test_a_report_replaces_a_report_and_nothing_else(synthetic, tmp_path):
    report(synthetic, tmp_path, n_clips=0)
    report(synthetic, tmp_path, n_clips=0)
    (tmp_path / "report.html").write_text("my notes")
    with pytest.raises(ArgumentError, match=r"must be a new file or an earlier report.*--overwrite"):
        report(synthetic, tmp_path, n_clips=0)
    assert (tmp_path / "report.html").read_text() == "my notes"
    report(synthetic, tmp_path, n_clips=0, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_report_that_cannot_be_written_is_an_error_before_anything_is_read(
    synthetic, tmp_path, monkeypatch, overwrite
):
    monkeypatch.setattr(sides, "side_of", None)
    with pytest.raises(ArgumentError, match=r"which is a folder. Name a file in it, such as '.*report\.html'"):
        write_report(synthetic, tmp_path, overwrite=overwrite)
    with pytest.raises(ArgumentError, match=r"Create the folder '.*none'"):
        write_report(synthetic, tmp_path / "none" / "report.html", overwrite=overwrite)
    with pytest.raises(ArgumentError, match=r"must be a file in a folder that exists. Received: ''"):
        write_report(synthetic, "", overwrite=overwrite)


def test_an_input_that_moved_is_an_error_before_anything_is_read(synthetic, tmp_path, monkeypatch):
    monkeypatch.setattr(sides, "side_of", None)
    with pytest.raises(InputError, match=r"There is no '.*gone'"):
        write_report(synthetic, tmp_path / "report.html", input=tmp_path / "gone")
    assert os.listdir(tmp_path) == []


def test_a_write_that_fails_is_an_error(synthetic, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("audiopipe.storage.files.write_bytes", fail)
    with pytest.raises(ArgumentError, match=r"Could not write the report '.*': No space left on device"):
        write_report(synthetic, tmp_path / "report.html", n_clips=0)


def test_a_report_that_fails_leaves_the_old_one(synthetic, tmp_path, monkeypatch):
    before = report(synthetic, tmp_path, n_clips=0).source
    monkeypatch.setattr(groups, "groups_of", lambda *_: (_ for _ in ()).throw(ConfigError("no")))
    with pytest.raises(ConfigError):
        report(synthetic, tmp_path)
    assert (tmp_path / "report.html").read_text() == before
    assert os.listdir(tmp_path) == ["report.html"]


def test_the_steps_are_told(synthetic, tmp_path):
    steps = []
    report(synthetic, tmp_path, n_clips=2, on_step=lambda *step: steps.append(step))
    assert ("reading clips", 9, 9) in steps
    assert ("drawing clips", 6, 6) in steps
    assert all(done <= total for _, done, total in steps)


def test_a_set_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(IncompleteFeatureSetError):
        write_report(tmp_path, tmp_path / "report.html")


def test_without_jinja2_it_says_what_to_install(synthetic, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependencyError, match=r'jinja2.*pip install "audiopipe\[plot\]"'):
        report(synthetic, tmp_path)
