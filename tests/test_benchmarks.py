"""Benchmarks: measured times, required ratios and tables, and checks that contenders compute the same feature."""

import dataclasses
import itertools
import sys
import types

import numpy as np
import pytest
from planning import write_shard, written

from audiopipe.inputs.source import Source
from benchmarks import clips as clips_of_benchmarks
from benchmarks import (
    decoding,
    definitions,
    front_ends,
    growth,
    growth_plots,
    jobs,
    machine,
    modes,
    peers,
    reference_features,
    required,
    rounds,
    speed,
    speed_tables,
    stages,
)
from benchmarks.modes import DATA, EAGER, FUNCTION, Way
from benchmarks.peers import FLOOR, KAPRE, KERAS, LAYER, LIBROSA, SIGNAL, TRANSFORM
from benchmarks.required import Measured


class Clock:
    """Clock that only its own functions advance."""

    def __init__(self):
        self.now = 0.0
        self.calls = []

    def function(self, name, *seconds):
        """Returns a function whose calls take these seconds in turn. Further calls take the last value."""
        remaining = itertools.chain(seconds, itertools.repeat(seconds[-1]))

        def call():
            self.calls.append(name)
            self.now += next(remaining)

        return call

    def __call__(self):
        return self.now


def measured(mode, times, batch=1, setting="speech"):
    return Measured(setting, 10.0, mode, batch, times)


def test_measured_times_do_not_include_warming_up():
    clock = Clock()
    functions = {"slow": clock.function("slow", 9.0, 8.0, 0.25), "fast": clock.function("fast", 5.0, 0.0078125)}
    times = rounds.measure(functions, 10.0, clock=clock)
    assert set(times["slow"]) == {0.25}
    assert set(times["fast"]) == {0.0078125}


def test_short_calls_are_repeated_until_they_can_be_measured():
    clock = Clock()
    rounds.measure({"fast": clock.function("fast", 2**-10)}, 0.0, settle=False, clock=clock)
    assert len(clock.calls) == rounds.WARM_UPS + 1 + rounds.MIN_ROUNDS * 21  # 21 calls of 1/1024 s take 20 ms


def test_every_round_starts_with_another_contender():
    clock = Clock()
    names = ["a", "b", "c"]
    rounds.measure({name: clock.function(name, 1.0) for name in names}, 0.0, settle=False, clock=clock)
    played = "".join(clock.calls[len(names) * (rounds.WARM_UPS + 1) :])
    assert played == "abcbcacababcbca"


def test_the_first_call_of_every_round_is_not_measured():
    clock = Clock()
    times = rounds.measure({"a": clock.function("a", 0.125, 0.125, 0.125, 3.0, 0.125)}, 0.0, clock=clock)
    assert times == {"a": [0.125] * rounds.MIN_ROUNDS}


def test_a_pause_that_is_not_measured_follows_functions_with_busy_threads():
    clock, slept = Clock(), []

    def sleep(seconds):
        slept.append(clock.calls[-1])
        clock.now += seconds

    functions = {name: clock.function(name, 1.0) for name in "abc"}
    times = rounds.measure(functions, 0.0, settle=False, clock=clock, busy_after=["b"], sleep=sleep)
    assert slept == ["b"] * rounds.MIN_ROUNDS
    assert times == {name: [1.0] * rounds.MIN_ROUNDS for name in "abc"}


def test_every_long_call_is_measured():
    clock = Clock()
    rounds.measure({"a": clock.function("a", 0.5)}, 0.0, clock=clock)
    assert len(clock.calls) == rounds.WARM_UPS + 1 + rounds.MIN_ROUNDS


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, rounds.MIN_ROUNDS), (20.0, 10), (1e6, rounds.MAX_ROUNDS)])
def test_the_number_of_rounds_depends_on_the_available_time(seconds, expected):
    clock = Clock()
    functions = {name: clock.function(name, 1.0) for name in "ab"}
    assert len(rounds.measure(functions, seconds, settle=False, clock=clock)["a"]) == expected


def test_lower_bounds_apply_to_the_time_of_peers_divided_by_ours():
    times = {LAYER: [1.0, 2.0, 1.0], TRANSFORM: [2.0, 2.0, 2.0], KAPRE: [2.0, 4.0, 3.0], KERAS: [4.0, 8.0, 4.0]}
    kapre, keras = required.rows([measured(EAGER, times)])
    assert kapre.ratios == {LAYER: [2.0, 2.0, 3.0], TRANSFORM: [1.0, 2.0, 1.5]}
    assert (kapre.bound, kapre.holds(LAYER), kapre.holds(TRANSFORM)) == (2.0, True, False)
    assert (keras.bound, keras.holds(LAYER), keras.holds(TRANSFORM)) == (4.0, True, False)


def test_the_upper_bound_applies_to_our_time_divided_by_that_of_the_floor():
    times = {LAYER: [4.0], TRANSFORM: [4.4], FLOOR: [2.0]}
    [row] = required.rows([measured(FUNCTION, times, batch=16)])
    assert row.ratios == {LAYER: [2.0], TRANSFORM: [2.2]}
    assert (row.holds(LAYER), row.holds(TRANSFORM)) == (True, False)


@pytest.mark.parametrize(("batch", "bounds"), [(1, [1.7, 1.7, 3.0]), (16, [1.6, 1.6, 2.1])])
def test_bounds_in_a_tf_function_depend_on_the_batch(batch, bounds):
    times = {name: [1.0] for name in (LAYER, TRANSFORM, KAPRE, KERAS, LIBROSA, FLOOR)}
    assert [row.bound for row in required.rows([measured(FUNCTION, times, batch)])] == bounds


@pytest.mark.parametrize(
    ("seconds", "threads", "bound"), [(0.5, 2, 1.2), (2.0, 2, 1.2), (2.0, 1, 1.4), (10.0, 1, 1.7), (10.0, 2, 1.7)]
)
def test_bounds_of_short_clips_depend_on_the_number_of_threads(seconds, threads, bound):
    times = {LAYER: [1.0], TRANSFORM: [1.0], KAPRE: [1.0]}
    [row] = required.rows([Measured("speech", seconds, FUNCTION, 1, times, threads=threads)])
    assert row.bound == bound


def test_lengths_of_clips_can_be_chosen():
    found = speed.cases(False, [FUNCTION], ["speech"], [0.5, 2.0])
    assert list(found) == [("speech", seconds, FUNCTION, batch) for seconds in (0.5, 2.0) for batch in (1, 16)]


def test_pipelines_are_compared_by_the_fastest_order_of_each_contender():
    times = {
        f"{LAYER}, per clip": [3.0, 3.0, 3.0],
        f"{TRANSFORM}, per clip": [2.0, 1.0, 1.0],
        f"{KAPRE}, per clip": [4.0, 3.0, 3.0],
        f"{KAPRE}, per batch": [2.0, 9.0, 9.0],
        f"{SIGNAL}, per batch": [1.5, 1.5, 1.5],
    }
    kapre, signal = required.rows([measured(DATA, times, batch=16)])
    assert kapre.title == f"tf.data: {KAPRE}"
    assert kapre.ratios == {f"{TRANSFORM}, per clip": [2.0, 3.0, 3.0]}
    assert signal.ratios == {f"{TRANSFORM}, per clip": [0.75, 1.5, 1.5]}


def test_tables_show_ratios_and_mark_satisfied_bounds():
    times = {LAYER: [0.002, 0.004], TRANSFORM: [0.001, 0.002], KAPRE: [0.003, 0.009]}
    facts = {"date": "2026-11-20", "processors": 2, "processor": "EPYC", "versions": {"tensorflow": "2.21"}}
    numbers = {"machine": {**facts, "peers": {"kapre": "0.4.1"}}, "modes": [vars(measured(EAGER, times))]}
    page = speed_tables.page_with(f"before\n{speed_tables.BEGIN}of last year\n{speed_tables.END}after\n", numbers)
    assert page.startswith("before\n<!-- measured -->\n")
    assert page.endswith("\n<!-- end of what was measured -->\nafter\n")
    assert "of last year" not in page
    assert f"| at least 2.0 | {LAYER} | 1.88 (1.50 .. 2.25) |" in page
    assert f"| at least 2.0 | {TRANSFORM} | **3.75 (3.00 .. 4.50)** |" in page
    assert "| Kapre | 6.00 ms, 1.88 (1.50 .. 2.25) |" in page
    assert "| audiopipe layer | 3.00 ms |" in page


def test_a_page_without_comments_for_tables_is_refused():
    with pytest.raises(ValueError, match="must contain the lines"):
        speed_tables.page_with("no comments", {})


def test_missing_peers_and_other_features_have_no_row():
    times = {LAYER: [1.0], TRANSFORM: [1.0], KAPRE: [1.0]}
    assert len(required.rows([measured(EAGER, times)])) == 1
    assert required.rows([measured(EAGER, times, setting="log")]) == []


@pytest.fixture(scope="module")
def speech():
    config = definitions.SETTINGS["speech"]
    return config, definitions.clips(config, 0.25, 2)


def ways_of(contender, audio):
    return {contender.name: Way(contender, lambda: contender.compute(contender.take(audio)), len(audio))}


@pytest.mark.cases(2)
@pytest.mark.parametrize("setting", definitions.SETTINGS)
def test_all_contenders_compute_the_same_feature(setting):
    config = definitions.SETTINGS[setting]
    audio = definitions.clips(config, 0.25, 2)
    contenders = peers.contenders(config)
    assert {contender.name for contender in contenders} >= {LAYER, TRANSFORM, SIGNAL, FLOOR}
    for contender in contenders:
        [difference] = speed.check(config, audio, ways_of(contender, audio)).values()
        assert 0 <= difference < speed.TOLERANCE_DECIBEL


def test_a_contender_with_a_wrong_result_is_refused(speech):
    config, audio = speech
    contender = peers.of_layer(config)
    louder = dataclasses.replace(contender, compute=lambda batch: contender.compute(batch * 1.005))
    with pytest.raises(AssertionError, match=r"Received: 0\.02"):
        speed.check(config, audio, ways_of(louder, audio))


def test_a_contender_with_a_wrong_shape_is_refused(speech):
    config, audio = speech
    contender = peers.of_layer(config)
    fewer = dataclasses.replace(contender, compute=lambda batch: contender.compute(batch[:, :-400]))
    with pytest.raises(AssertionError, match=r"of shape \(2, 23, 80\)\. Received: \(2, 21, 80\)"):
        speed.check(config, audio, ways_of(fewer, audio))


@pytest.mark.cases(2)
@pytest.mark.parametrize("mode", modes.MODES)
def test_every_mode_returns_the_features_of_the_first_batch(mode, speech, monkeypatch):
    config, audio = speech
    monkeypatch.setattr(modes, "PASS_SECONDS", {})
    found = modes.ways(mode, [peers.of_layer(config)], audio, 0.25)
    assert len(found) == (2 if mode == DATA else 1)
    assert {way.clips for way in found.values()} == {2 if mode in modes.CALLS else 4}
    speed.check(config, audio, found)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_of_memory_counts_from_the_last_reset():
    before = machine.reset_peak()
    values = np.ones(2**25, np.uint8)
    assert machine.peak() - before == pytest.approx(values.nbytes, rel=0.1)
    del values
    assert machine.reset_peak() - before < 2**24


@pytest.mark.parametrize("name", ["length", "batch"])
def test_equal_numbers_give_equal_figures(name, tmp_path):
    points = [{**dataclasses.asdict(point), "seconds": point.x, "bytes": 1e6} for point in growth.points()[name]]
    growth_plots.draw(name, points, tmp_path / "first.svg")
    growth_plots.draw(name, points, tmp_path / "again.svg")
    growth_plots.draw(name, points[1:], tmp_path / "other.svg")
    first, again, other = ((tmp_path / f"{file}.svg").read_bytes() for file in ("first", "again", "other"))
    assert first == again != other


def test_the_time_of_a_step_does_not_include_the_steps_that_it_calls():
    clock = Clock()
    work = types.SimpleNamespace()
    work.decode = clock.function("decode", 4.0)
    work.encode = clock.function("encode", 1.0)

    def blocks():
        for _ in range(2):
            clock.now += 0.5
            work.decode()
            yield
        clock.now += 0.25

    def write():
        for _ in work.blocks():
            clock.now += 16.0
        work.encode()

    work.blocks, work.write = blocks, write
    stopwatch = stages.Stages(clock)
    with stopwatch.measured([("reading", work, "blocks"), ("decoding", work, "decode"), ("encoding", work, "encode")]):
        clock.now += 2.0
        work.write()
    work.write()
    assert work.blocks is blocks
    assert stopwatch.seconds == {"reading": 1.25, "decoding": 8.0, "encoding": 1.0, stages.REST: 34.0}


def test_a_stopwatch_continues_after_an_error():
    clock = Clock()
    work = types.SimpleNamespace(read=lambda: [][clock.function("read", 1.0)() or 0])
    stopwatch = stages.Stages(clock)
    with stopwatch.measured([("reading", work, "read")]):
        with pytest.raises(IndexError):
            work.read()
        clock.now += 2.0
    assert stopwatch.seconds == {"reading": 1.0, stages.REST: 2.0}


@pytest.mark.parametrize("step", stages.steps(), ids=lambda step: step[2])
def test_a_worker_that_writes_a_shard_runs_every_step(step, clips, config, tmp_path):
    source = Source(id="mono", path=str(clips / "mono.wav"))
    work = written(str(tmp_path), config, [source], num_shards=1)
    # Every look at the clock takes one second, so a step that runs takes time.
    stopwatch = stages.Stages(itertools.count(1.0).__next__)
    with stopwatch.measured([step]):
        write_shard(work, 0)
    assert stopwatch.seconds[step[0]] > 0


@pytest.mark.parametrize("format", decoding.FORMATS)
@pytest.mark.parametrize("rate", decoding.RATES)
@pytest.mark.parametrize("channels", [1, 2])
def test_the_bare_program_and_audiopipe_read_the_same_samples(tmp_path, format, rate, channels):
    path = decoding.write(tmp_path, format, rate, channels, 0.5)
    decoding.check(str(path))
    decoding.check(path.read_bytes())


def test_samples_that_differ_from_the_bare_program_are_an_error(tmp_path, monkeypatch):
    path = decoding.write(tmp_path, "WAV", 16000, 1, 0.1)
    monkeypatch.setattr(decoding, "ours", lambda source: decoding.bare(source)[:, None] * np.float32(1.001))
    with pytest.raises(RuntimeError, match="must read the same samples"):
        decoding.check(str(path))


@pytest.mark.cases(1)
@pytest.mark.parametrize(
    "preset", ["seamless-m4t", "speecht5", "univnet", "gemma3n-128", "beats", "musicnn-96", "librosa-mel-128"]
)
def test_references_of_front_ends_compute_the_presets_one_by_one_and_in_rows(preset):
    _, reference = reference_features.of_preset(preset)
    waveforms = [clips_of_benchmarks.speech_like(np.random.default_rng(seed), 0.5) for seed in range(2)]
    expected = reference(waveforms)
    for batch in (1, 2):
        front_ends.check(preset, front_ends.ours(preset, batch)(waveforms), expected)
    with pytest.raises(AssertionError, match=f"{preset} must agree with its reference within 0.01"):
        front_ends.check(preset, [np.add(one, 0.02) for one in expected], expected)
    with pytest.raises(AssertionError, match="must have features of shape"):
        front_ends.check(preset, [one[:-1] for one in expected], expected)


def test_the_table_of_front_ends_marks_the_goals_that_are_met():
    def of(preset, batch, theirs):
        times = {front_ends.OURS: [0.01, 0.01], "Extractor": [theirs, 2 * theirs]}
        return front_ends.Measured(preset, "Extractor", batch, times, 0.0)

    found = [of("ast", 16, 0.03), of("ast", 1, 0.02), of("nemo-mel-80", 1, 0.01), of("nemo-mel-80", 16, 0.02)]
    assert list(front_ends.table(found))[2:] == [
        "| `ast` | Extractor | 100 | 3.0 (2.0 .. 4.0) | 100 | **4.5 (3.0 .. 6.0)** | 4 |",
        "| `nemo-mel-80` | Extractor | 100 | 1.5 (1.0 .. 2.0) | 100 | **3.0 (2.0 .. 4.0)** | 3 |",
    ]


def test_a_job_is_measured_beside_importing_tensorflow_and_the_bare_program():
    found = jobs.Jobs(1000, [2.0, 2.5], [1.5, 3.0], {"precompute": [5.0, 8.0]}, {"precompute": [4.0, 10.0]}, [0.1, 0.2])
    assert found.first_in_imports("precompute") == [2.0, 4.0]
    assert found.beyond("precompute") == [5.0 - 2.0 - 2.0, 8.0 - 2.5 - 4.0]
