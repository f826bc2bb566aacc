"""Machine records of a feature set survive a dataset."""

import datasets
import pytest

from audiopipe import Transform, configs, hf
from audiopipe.feature_sets.description import Description
from audiopipe.hf import machine_notes
from audiopipe.transform import probe

pytestmark = pytest.mark.usefixtures("quiet_bars")


def test_a_feature_set_made_from_a_dataset_of_another_one_has_its_machines(shared_feature_set, tmp_path):
    machines = Description.open(shared_feature_set).machines
    assert [sorted(machine["probe"]["files"]) for machine in machines] == [sorted(probe.FILES)]
    rows = hf.from_feature_set(shared_feature_set, cache_dir=tmp_path)
    changed = rows.map(lambda row: {"take": row["n_frames"]}).select([0]).remove_columns("note")
    changed.save_to_disk(tmp_path / "saved")
    others = [
        datasets.load_from_disk(tmp_path / "saved"),
        rows.filter(lambda number: number > 0, input_columns=["n_frames"]).shuffle(seed=0),
        datasets.concatenate_datasets([rows, rows.map(lambda row: {"id": row["id"] + "+"})]),
        hf.from_feature_set(shared_feature_set, cache_dir=tmp_path),
    ]
    for number, dataset in enumerate(others):
        assert hf.to_feature_set(dataset, tmp_path / str(number)).machines == machines


def test_features_of_several_machines_can_be_concatenated_and_name_each_once(config):
    one, other = {"versions": {"numpy": "1"}}, {"versions": {"numpy": None}, "onednn": True}
    info = machine_notes.info([one, other], config.fingerprint)
    again = machine_notes.info([other, one], config.fingerprint)
    parts = [datasets.Dataset.from_dict({"number": [1]}) for _ in range(2)]
    for part, found in zip(parts, (info, again), strict=True):
        part.info.description = f"Speech.\n{found.description}"
    assert machine_notes.of_dataset(datasets.concatenate_datasets(parts).info, config.fingerprint) == [one, other]


def test_machines_of_another_feature_and_invalid_lines_do_not_count(config, tmp_path):
    mel = Transform(configs.MelSpectrogram(sample_rate=8000, n_mels=8))
    mapped = hf.map(datasets.Dataset.from_dict({"audio": [[0.1] * 8000]}), mel)
    lines = [
        machine_notes.info([{"versions": {}}], config.fingerprint).description,
        *(
            machine_notes.info([machine], mel.config.fingerprint).description
            for machine in ({}, {"versions": []}, {"versions": {"numpy": 3}}, {"versions": {}, "probe": {"files": {}}})
        ),
        machine_notes.MARK + "[" * 100_000,
        machine_notes.MARK + "3",
        machine_notes.MARK + '{"fingerprint": "x"}',
    ]
    mapped.info.description = "\n".join(lines)
    assert hf.to_feature_set(mapped, tmp_path / "features").machines == []
