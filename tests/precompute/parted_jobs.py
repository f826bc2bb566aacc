"""Helpers of the tests of jobs in parts."""

import pytest
from corpora import CONFIG, Corpus
from jobs import contents

from audiopipe import beam
from audiopipe.errors import FeatureSetError
from audiopipe.precompute import shard_writer
from audiopipe.precompute.progress import Silent

N_PARTS = 3
LABELS = ("dog", "ant", "cat")


def labelled(folder):
    """Returns a corpus of 12 labelled clips."""
    made = Corpus(folder)
    for number in range(12):
        made.put(f"c{number:02d}", number, 0.1 + 0.01 * number, label=LABELS[number % 3], take=number)
    return made


def make(corpus, output, **options):
    options = {"parts": N_PARTS, "workers": 1, "max_failure_ratio": 1, **options}
    return beam.precompute(corpus.write(), output, CONFIG, **options)


def clips_of(feature_set):
    """Returns the bits and the metadata of every clip, by id."""
    return {clip.pop("id"): (clip.pop("feature").tobytes(), clip) for clip in feature_set}


def parts_of(output):
    """Returns the bytes of the files of all parts."""
    return {name: data for name, data in contents(output).items() if name != "dataset.json"}


def damage(corpus, *names):
    for name in names:
        corpus.audio(name).write_bytes(b"no audio")


def interrupted(run, monkeypatch, after):
    """Runs a job that is stopped after `after` shards, counted over all parts. Returns the error message."""
    write, written = shard_writer.write_shards, []

    def die(elements):
        for element in elements:
            if len(written) == after:
                raise RuntimeError("the machine is gone")
            written.append(element)
            yield from write([element])

    with monkeypatch.context() as patch:
        patch.setattr(shard_writer, "write_shards", die)
        with pytest.raises(FeatureSetError) as raised:
            run()
    return str(raised.value)


class Recording(Silent):
    """Reporter that keeps what it gets."""

    def __init__(self):
        self.plans, self.updates = [], []

    def planned(self, **facts):
        self.plans.append(facts)

    def update(self, done, total_clips):
        self.updates.append((done, total_clips))
