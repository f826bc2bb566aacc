"""Tests of the progress of a job: its speed, plain lines, JSON lines and the bar."""

import datetime
import io
import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from audiopipe.precompute.progress import Done, Speed, reporter


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def console(terminal=False):
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)


def done(clips, failures=0, seconds=None, shards=0):
    return Done(clips=clips, failures=failures, seconds=10.0 * clips if seconds is None else seconds, shards=shards)


def plan(reporter, clips=10000, done_before=0, exact=True):
    notes = ["3 files left out: 3 .m4a"]
    facts = {"hours": clips / 360, "bytes": 25_600_000, "shards": 20, "headers": 812, "notes": notes}
    reporter.planned(clips=clips, exact=exact, done_before=done_before, **facts)


def events(captured):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in captured.splitlines()]


# the speed


def test_the_rate_of_a_resumed_job_ignores_clips_of_earlier_runs(clock):
    speed = Speed(9000, clock)
    clock.now += 20
    speed.add(9400)
    assert speed.rate() == pytest.approx(20)
    assert speed.seconds_left(600) == pytest.approx(30)


def test_the_start_of_the_workers_stops_lowering_the_rate_once_it_is_older_than_the_window(clock):
    speed = Speed(0, clock)
    clock.now += 15  # nothing is done while workers start
    speed.add(0)
    for second in range(1, 101):
        clock.now += 1
        speed.add(50 * second)
        if second == 15:
            assert speed.rate() == pytest.approx(750 / 30)
    assert speed.rate() == pytest.approx(50)
    assert speed.seconds_left(5000) == pytest.approx(100)


def test_the_rate_follows_a_change_of_speed_within_the_window(clock):
    speed = Speed(0, clock)
    clips = 0
    for rate in [100] * 300 + [20] * 60:
        clock.now += 1
        clips += rate
        speed.add(clips)
    assert speed.rate() == pytest.approx(20)


def test_shards_that_take_longer_than_the_window_give_a_steady_rate(clock):
    # Two workers finish a shard of 1,000 clips every 300 s each, the second half a second after the first.
    speed, rates = Speed(0, clock), []
    for half_second in range(1, 4801):
        clock.now += 0.5
        speed.add(1000 * (half_second // 600 + max(half_second - 1, 0) // 600))
        if half_second > 1201:
            rates.append(speed.rate())
    assert min(rates) >= 0.75 * 2000 / 300
    assert max(rates) <= 1.05 * 2000 / 300


def test_the_rate_falls_when_no_more_shards_are_finished(clock):
    speed = Speed(0, clock)
    for step in range(1, 101):
        clock.now += 1
        speed.add(10 * step)
    assert speed.rate() == pytest.approx(10)
    clock.now += 1
    assert speed.rate() == pytest.approx(10)  # the next shard may be almost finished
    clock.now += 30
    assert speed.rate() == pytest.approx(5)
    clock.now += 100
    assert speed.rate() == 0
    assert speed.seconds_left(1) is None


def test_before_the_first_clips_are_done_there_is_no_rate_and_no_time_left(clock):
    speed = Speed(500, clock)
    clock.now += 100
    speed.add(500)
    assert speed.rate() is None
    assert speed.seconds_left(10) is None
    assert speed.seconds_left(0) == 0


def test_clips_done_at_the_moment_of_the_start_give_no_rate(clock):
    speed = Speed(0, clock)
    speed.add(10)
    assert speed.rate() is None


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 10**6)), max_size=60))
def test_the_rate_is_never_negative_or_above_the_fastest_step(steps):
    clock = Clock()
    speed, clips, fastest = Speed(0, clock), 0, 0.0
    since = clock.now
    for seconds, more in steps:
        clock.now += seconds
        clips += more
        speed.add(clips)
        if more and clock.now > since:
            fastest, since = max(fastest, more / (clock.now - since)), clock.now
        elif more:
            fastest = float("inf")
        rate = speed.rate()
        assert rate is None or 0 <= rate <= fastest * (1 + 1e-6)


# plain lines


def test_plain_lines_are_limited_to_one_per_interval_and_the_last_is_always_shown(clock):
    screen = console()
    shown = reporter(screen, log_json=False, clock=clock)
    plan(shown)
    for second in range(26):
        shown.update(done(210 * second, failures=second // 5), 10000)
        clock.now += 1
    shown.finished({"clips": 5250})
    assert screen.file.getvalue().splitlines() == [
        "planned: 10,000 clips, 27.8 h of audio, 25.6 MB in 20 shards",
        "3 files left out: 3 .m4a",
        "clips 0 of 10,000 (0 %), 0 s of audio, 0 failures",
        "clips 2,100 of 10,000 (21 %), 5.8 h of audio, 2 failures, 210 clips/s, 38 s left",
        "clips 4,200 of 10,000 (42 %), 11.7 h of audio, 4 failures, 210 clips/s, 28 s left",
        "clips 5,250 of 10,000 (52 %), 14.6 h of audio, 5 failures, 210 clips/s, 23 s left",
    ]


def test_the_last_line_is_not_shown_twice(clock):
    screen = console()
    shown = reporter(screen, log_json=False, clock=clock)
    shown.update(done(1), 1)
    shown.finished({})
    assert screen.file.getvalue() == "clips 1 of 1 (100 %), 10 s of audio, 0 failures, 0 s left\n"


def test_the_line_about_the_plan_says_what_is_estimated_and_what_was_done_before(clock):
    screen = console()
    plan(reporter(screen, log_json=False, clock=clock), clips=1, done_before=1, exact=False)
    line = "planned: 1 clip, 10 s of audio, 25.6 MB in 20 shards (estimated from 812 headers); 1 clip done before\n"
    assert screen.file.getvalue() == line + "3 files left out: 3 .m4a\n"


@pytest.mark.parametrize(
    ("clips", "copied", "shown"),
    [(1021, 1007, "14 clips to compute and 1,007 to copy"), (1, 1, "1 clip to copy"), (8, 0, "8 clips")],
)
def test_the_line_about_the_plan_counts_records_that_are_copied_by_themselves(clock, clips, copied, shown):
    screen = console()
    facts = {"hours": 1, "bytes": 1000, "shards": 1, "exact": True}
    reporter(screen, log_json=False, clock=clock).planned(clips=clips, copied=copied, **facts)
    assert screen.file.getvalue() == f"planned: {shown}, 1.0 h of audio, 1.0 kB in 1 shard\n"


def test_a_stopped_job_shows_its_progress_and_leaves_the_reason_to_the_error(clock):
    screen = console()
    shown = reporter(screen, log_json=False, clock=clock)
    shown.update(done(1), 4)
    clock.now += 1
    shown.update(done(2, failures=1), 4)
    shown.stopped("the disk is full")
    lines = screen.file.getvalue().splitlines()
    assert lines[-1].startswith("clips 2 of 4 (50 %)")
    assert "1 failure," in lines[-1]
    assert "disk" not in screen.file.getvalue()


def test_a_percentage_is_100_only_at_the_end(clock):
    screen = console()
    reporter(screen, log_json=False, clock=clock).update(done(9999), 10000)
    assert "(99 %)" in screen.file.getvalue()


@pytest.mark.parametrize("kind", ["lines", "bar", "json"])
def test_an_empty_job_raises_no_error(clock, kind):
    shown = reporter(console(terminal=kind == "bar"), log_json=kind == "json", clock=clock)
    plan(shown, clips=0)
    shown.update(done(0), 0)
    clock.now += 20
    shown.update(done(0), 0)
    shown.finished({})


# JSON lines


def test_json_lines_contain_each_event_with_its_facts_and_time(clock, capsys):
    screen = console()
    shown = reporter(screen, log_json=True, clock=clock)
    plan(shown, done_before=9000)
    clock.now += 5
    shown.update(Done(clips=9100, failures=3, seconds=91.5, shards=7), 10000)
    clock.now += 5
    shown.update(Done(clips=9200, failures=4, seconds=92.5, shards=8), 10000)  # not shown, too soon after the last
    clock.now += 5
    shown.update(Done(clips=9300, failures=5, seconds=93.5, shards=9), 10000)
    shown.finished({"clips": 9295, "worst": float("nan"), "path": "a\n\udcff", "sizes": (np.int64(2), np.float32(0.5))})
    out = capsys.readouterr().out
    assert screen.file.getvalue() == ""
    planned, first, second, finished = events(out)
    for event in (planned, first, second, finished):
        time = datetime.datetime.fromisoformat(event.pop("time"))
        assert time.utcoffset() == datetime.timedelta(0)
        assert abs((datetime.datetime.now(datetime.UTC) - time).total_seconds()) < 60
    assert planned == {
        "event": "planned",
        "clips": 10000,
        "copied": 0,
        "hours": 10000 / 360,
        "bytes": 25_600_000,
        "shards": 20,
        "exact": True,
        "headers": 812,
        "notes": ["3 files left out: 3 .m4a"],
        "changes": None,
        "done_before": 9000,
        "failed_before": 0,
    }
    assert first == {
        "event": "progress",
        "clips": 9100,
        "total_clips": 10000,
        "failures": 3,
        "shards": 7,
        "seconds_of_audio": 91.5,
        "clips_per_second": 20.0,
        "seconds_left": 45.0,
    }
    assert (second["clips"], second["clips_per_second"], second["seconds_left"]) == (9300, 20.0, 35.0)
    assert finished == {"event": "finished", "clips": 9295, "worst": None, "path": "a\n\udcff", "sizes": [2, 0.5]}


def test_a_stopped_job_prints_an_event_with_the_reason(clock, capsys):
    shown = reporter(console(), log_json=True, clock=clock)
    shown.update(done(1), 2)
    shown.stopped("the disk\nis full")
    first, last = events(capsys.readouterr().out)
    assert (first["event"], first["clips_per_second"], first["seconds_left"]) == ("progress", None, None)
    assert (last["event"], last["reason"]) == ("stopped", "the disk\nis full")


def test_json_lines_are_flushed_at_once(clock, monkeypatch):
    class Buffered(io.StringIO):
        seen = ""

        def flush(self):
            self.seen = self.getvalue()

    stream = Buffered()
    monkeypatch.setattr(sys, "stdout", stream)
    reporter(console(), log_json=True, clock=clock).stopped("x")
    assert events(stream.seen)[0]["reason"] == "x"


numbers = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10))
def test_json_values_survive_printing_and_parsing(value):
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        reporter(console(), log_json=True).finished({"value": value})
    (event,) = events(stream.getvalue())
    assert event["value"] == value


# the bar


def test_the_line_about_the_plan_says_that_clips_failed_before_and_are_not_tried_again(clock):
    screen = console()
    shown = reporter(screen, log_json=False, clock=clock)
    shown.planned(clips=8, hours=1, bytes=1000, shards=1, exact=True, done_before=4, failed_before=2)
    line = "planned: 8 clips, 1.0 h of audio, 1.0 kB in 1 shard; 4 clips done before, of which 2 failed. "
    assert screen.file.getvalue() == line + "Pass --retry-failures to try them again\n"


def test_a_terminal_gets_a_bar_with_facts(clock):
    screen = console(terminal=True)
    shown = reporter(screen, log_json=False, clock=clock)
    plan(shown)
    before = screen.file.getvalue()
    clock.now += 10
    shown.update(done(2100, failures=5), 10000)
    shown.stopped("Ctrl-C")
    assert "2100/10000" not in before
    text = screen.file.getvalue()
    assert "2100/10000" in text
    assert "5.8 h of audio, 5 failures, 210 clips/s, 38 s left" in text
    assert "Ctrl-C" not in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden and then shown again
