"""Tests of the progress that commands show."""

import io

import pytest
from rich.console import Console

from audiopipe.cli import task_progress


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def console(terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=120, color_system=None)


def test_lines_have_the_rate_and_the_time_left(clock):
    screen = console(terminal=False)
    with task_progress.shown(screen, interval=10, clock=clock) as update:
        for done in range(0, 5001, 100):  # 100 a second
            update("checking records", done, 5000)
            clock.now += 1
    assert screen.file.getvalue().splitlines() == [
        "checking records: 1,000 of 5,000 (20 %), 100/s, 40 s left",
        "checking records: 2,000 of 5,000 (40 %), 100/s, 30 s left",
        "checking records: 3,000 of 5,000 (60 %), 100/s, 20 s left",
        "checking records: 4,000 of 5,000 (80 %), 100/s, 10 s left",
        "checking records: 5,000 of 5,000 (100 %), 100/s, 0 s left",
    ]


def test_a_short_task_prints_no_lines(clock):
    screen = console(terminal=False)
    with task_progress.shown(screen, interval=10, clock=clock) as update:
        update("checking records", 1, 2)
        clock.now += 9
        update("checking records", 2, 2)
    assert screen.file.getvalue() == ""


def test_each_step_has_a_rate_of_its_own(clock):
    screen = console(terminal=False)
    with task_progress.shown(screen, interval=0, clock=clock) as update:
        for _ in range(10):
            update("checking records", 1000, 1000)
            clock.now += 1
        update("recomputing clips", 0, 100)
        clock.now += 10
        update("recomputing clips", 20, 100)
    assert screen.file.getvalue().splitlines()[-1] == "recomputing clips: 20 of 100 (20 %), 2/s, 40 s left"


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end(clock):
    screen = console(terminal=True)
    with task_progress.shown(screen, clock=clock) as update:
        update("checking [records]", 0, 5000)
        clock.now += 10
        update("checking [records]", 1000, 5000)
    text = screen.file.getvalue()
    assert "checking [records]" in text
    assert "1,000 of 5,000, 100/s, 40 s left" in text
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor is hidden and then shown again
    assert text.endswith("\x1b[2K")  # the line of the bar is erased


@pytest.mark.parametrize("terminal", [True, False])
def test_a_task_that_reports_nothing_shows_nothing(terminal):
    screen = console(terminal)
    with task_progress.shown(screen):
        pass
    assert screen.file.getvalue() == ""
