"""Jobs over feature sets in parts that are damaged, incomplete, or mixed with other files."""

import functools
import os
import shutil

import pytest
from jobs import contents
from parted_jobs import Recording, clips_of, damage, interrupted, labelled, make

from audiopipe import FeatureSet
from audiopipe.errors import CorruptFeatureSetError, FeatureSetError, IncompleteFeatureSetError, InputChangedError
from audiopipe.precompute import overview
from audiopipe.verification import verify


@pytest.fixture
def corpus(tmp_path):
    return labelled(tmp_path / "corpus")


def test_a_part_that_is_gone_is_named_and_computed_again_alone(corpus, tmp_path):
    before = clips_of(make(corpus, tmp_path / "out"))
    part = tmp_path / "out/part-00001-of-00003"
    kept = {name: data for name, data in contents(tmp_path / "out").items() if part.name not in name}
    shutil.rmtree(part)
    with pytest.raises(IncompleteFeatureSetError, match=r"The part '.*part-00001-of-00003' is missing .* again"):
        FeatureSet(tmp_path / "out")
    reporter = Recording()
    assert clips_of(make(corpus, tmp_path / "out", parts=None, reporter=reporter)) == before
    assert reporter.plans[0]["shards"] == 1
    assert {name: data for name, data in contents(tmp_path / "out").items() if part.name not in name} == kept


@pytest.mark.parametrize("name", ["dataset.json", "index-00000001.parquet"])
def test_the_error_about_a_damaged_part_says_how_to_compute_it_again_alone(corpus, tmp_path, name):
    before = clips_of(make(corpus, tmp_path / "out"))
    part = tmp_path / "out/part-00001-of-00003"
    (part / name).write_bytes(b"{")
    with pytest.raises(CorruptFeatureSetError, match="remove the folder 'part-00001-of-00003', and run"):
        make(corpus, tmp_path / "out", update=True)
    shutil.rmtree(part)
    assert clips_of(make(corpus, tmp_path / "out")) == before


def test_a_part_without_dataset_json_is_refused_with_advice(corpus, tmp_path):
    make(corpus, tmp_path / "out")
    (tmp_path / "out/part-00001-of-00003/dataset.json").unlink()
    with pytest.raises(FeatureSetError, match=r"part-00001-of-00003' must have a dataset\.json.* remove its folder"):
        make(corpus, tmp_path / "out")


def test_a_damaged_whole_is_written_again_from_its_parts(corpus, tmp_path):
    before = clips_of(make(corpus, tmp_path / "out"))
    (tmp_path / "out/dataset.json").write_text("{}")
    with pytest.raises(CorruptFeatureSetError, match=r"remove this dataset\.json and to run the same command again"):
        make(corpus, tmp_path / "out")
    (tmp_path / "out/dataset.json").unlink()
    with pytest.raises(FeatureSetError, match=r"has 3 parts\. The job has not finished"):
        overview.overview(str(tmp_path / "out"))
    reporter = Recording()
    assert clips_of(make(corpus, tmp_path / "out", reporter=reporter)) == before
    assert reporter.plans[0]["shards"] == 0


@pytest.mark.parametrize("target", ["../elsewhere", "part-00002-of-00003"])
def test_a_part_that_is_a_link_is_refused_before_anything_is_computed(corpus, tmp_path, target):
    (tmp_path / "out/part-00002-of-00003").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "out/part-00001-of-00003"
    link.symlink_to(target)
    with pytest.raises(FeatureSetError, match=r"must be a folder of its own\. Received: a link to"):
        make(corpus, tmp_path / "out")
    assert os.listdir(link) == []
    assert not (tmp_path / "out/part-00000-of-00003").exists()


def test_folders_of_another_number_of_parts_are_not_adopted_or_removed_in_silence(corpus, tmp_path):
    make(corpus, tmp_path / "out")
    before = contents(tmp_path / "out")
    other = tmp_path / "out/part-00000-of-00005"
    other.mkdir()
    with pytest.raises(InputChangedError, match=r"unfinished jobs with 3 and 5 parts\. Pass the number"):
        make(corpus, tmp_path / "out", parts=None, update=True)
    (other / "mine.txt").write_text("mine")
    with pytest.raises(FeatureSetError, match=r"contains 'part-00000-of-00005/mine\.txt'\. Move it out"):
        make(corpus, tmp_path / "out")
    (other / "mine.txt").unlink()
    make(corpus, tmp_path / "out")
    assert not other.exists()
    assert contents(tmp_path / "out") == before


def test_an_update_in_which_all_clips_fail_leaves_the_old_whole_which_stays_verifiable(corpus, tmp_path):
    before = clips_of(make(corpus, tmp_path / "out"))
    good = {name: corpus.audio(name).read_bytes() for name in corpus.rows}
    damage(corpus, *corpus.rows)
    with pytest.raises(FeatureSetError, match=r"All 12 clips failed.* The old feature set in .*out' stays"):
        make(corpus, tmp_path / "out", update=True, keep_old=0)
    assert clips_of(FeatureSet(tmp_path / "out")) == before
    assert verify(tmp_path / "out").ok
    for name, data in good.items():
        corpus.audio(name).write_bytes(data)
    assert clips_of(make(corpus, tmp_path / "out", update=True)) == before


def test_a_whole_is_verified_while_an_update_has_replaced_some_of_its_parts(corpus, tmp_path, monkeypatch):
    make(corpus, tmp_path / "out", num_shards=1)
    for number in range(12):
        corpus.put(f"c{number:02d}", 100 + number)
    interrupted(functools.partial(make, corpus, tmp_path / "out", update=True, num_shards=1), monkeypatch, 1)
    assert verify(tmp_path / "out").ok
    copy = tmp_path / "out/part-00001-of-00003/clips.parquet"  # of a part that was not replaced
    copy.write_bytes(copy.read_bytes() + b"x")
    with pytest.raises(CorruptFeatureSetError, match=r"part-00001-of-00003/clips\.parquet"):
        verify(tmp_path / "out")


def test_equal_ids_ask_for_one_prefix_for_each_whole(corpus, tmp_path):
    make(corpus, tmp_path / "one")
    make(corpus, tmp_path / "two", parts=2)
    with pytest.raises(FeatureSetError, match=r"prefix=\['0/', '1/'\]"):
        FeatureSet([tmp_path / "one", tmp_path / "two"])
    assert len(FeatureSet([tmp_path / "one", tmp_path / "two"], prefix=["0/", "1/"])) == 24
