"""Tests of the engines and how a job chooses one."""

import pytest
from planning import written

from audiopipe import configs
from audiopipe.errors import ArgumentError
from audiopipe.inputs import Source
from audiopipe.precompute import engines
from audiopipe.precompute.processes import Processes, cause_of
from audiopipe.runtime import machine_facts

CONFIG = configs.MelSpectrogram(sample_rate=16000, n_mels=40, input_data_format="channels_last")
HOUR = 3600


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return written(str(tmp_path_factory.mktemp("out")), CONFIG, [Source(str(name), str(name)) for name in range(9)], 9)


def chosen(work, seconds, workers=None, flags=()):
    options, flags = engines.parse_options(list(flags), workers)
    return engines.choose(work, seconds, workers, options, flags)


def test_small_jobs_run_in_this_process_and_large_ones_in_one_process_per_processor(work, monkeypatch):
    monkeypatch.setattr(machine_facts, "processors", lambda: 4)
    assert isinstance(chosen(work, 7 * HOUR), engines.PipelineThread)
    large = chosen(work, 8 * HOUR)
    assert (type(large), large.workers) == (Processes, 4)


def test_workers_sets_the_number_of_processes_up_to_the_number_of_shards(work):
    assert chosen(work, 1, workers=3).workers == 3
    assert chosen(work, 1, workers=100).workers == 9
    assert isinstance(chosen(work, 100 * HOUR, workers=1), engines.PipelineThread)


@pytest.mark.parametrize("flag", ["--runner=FnApiRunner", "--direct_num_workers=2", "--direct-running-mode=in_memory"])
def test_options_of_beam_choose_the_runner_and_exclude_workers(work, flag):
    assert isinstance(chosen(work, 100 * HOUR, flags=[flag]), engines.PipelineThread)
    with pytest.raises(ArgumentError, match=rf"--workers cannot be combined.*Received: {flag}\. Leave out one"):
        chosen(work, 1, workers=2, flags=[flag])


def test_zero_workers_are_refused():
    with pytest.raises(ArgumentError, match=r"workers must be an integer\. Received: workers=2\.5"):
        engines.parse_options([], 2.5)
    with pytest.raises(ArgumentError, match=r"workers must be at least 1\. Received: workers=0"):
        engines.parse_options([], 0)


def test_options_of_beam_may_be_written_with_dashes():
    options, _ = engines.parse_options(["--direct-num-workers=2", "--direct-running-mode", "multi_threading"])
    assert options.get_all_options()["direct_num_workers"] == 2
    assert options.get_all_options()["direct_running_mode"] == "multi_threading"


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            "Traceback\n  File\naudiopipe.errors.OutputError: Could not write 'a'. [while running 'x/y']",
            "Could not write 'a'.",
        ),
        ("RuntimeError: boom [while running 'WriteShard-ptransform-6']", "boom"),
        ("", "ValueError"),
    ],
)
def test_the_cause_is_extracted_from_an_error_of_beam(message, cause):
    assert cause_of(ValueError(message)) == cause
