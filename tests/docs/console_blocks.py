"""Types a page of the documentation in, as a reader does, and compares what it shows with what happens.

Three kinds of blocks are typed in, in their order, in one empty folder:

- `console`: each line that starts with `$ ` is a command, which a line that ends in a backslash continues. The lines
  below it are what the command prints. A command without such lines may print anything. It must succeed, unless the
  next command is `echo $?`.
- `pycon`: a Python session. A console block ends it, so that a page works for readers who leave Python in between.
- `code-block` with a `:caption:`: the file of this name. `read_page` makes such a block of a `literalinclude`.

`...` in shown output stands for anything, as in doctests. The times and rates of a job may differ. So may
the times, losses and metrics that `fit` prints. Blocks below a comment `<!-- not run: REASON -->` are left out. Sphinx
runs `doctest` blocks, and nobody runs others.
"""

import contextlib
import doctest
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SECONDS = 300  # of all commands of a block

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|:{3,})(?P<info>.*)")
_INCLUDED = re.compile(r"```\{literalinclude\} (?P<path>\S+)\n:caption: (?P<name>\S+)\n```")
_NOT_RUN = re.compile(r"<!-- *not run: *\S.*-->")
_VARYING = [
    r", [\d,.]+ clips/s",
    r", [\d,.]+ (s|min|h) left",
    r"(?<=│ time)( +│ )[\d,.]+ (s|min|h)( *│)",
    r"(?<=\d) - \d+m?s - \d+m?s/step - .*",  # of Keras
]
_PROGRESS = re.compile(r"clips [\d,]+ of [\d,]+ \(")


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Args:
        kind: `console`, `pycon`, or `file`.
        text: What is between the fences.
        line: Number of its first line in the page.
        name: Name of the file, if it is one.
    """

    kind: str
    text: str
    line: int
    name: str = ""


@dataclass(frozen=True)
class Command:
    """A command, and what a page says that it prints: nothing if the page does not say it."""

    text: str
    shown: str


def read_page(path: Path) -> str:
    """Returns the text of a page, in which files that it includes with a caption are blocks."""

    def block(included: re.Match[str]) -> str:
        content = (path.parent / included["path"]).read_text()
        return f"```{{code-block}}\n:caption: {included['name']}\n\n{content}```"

    return _INCLUDED.sub(block, path.read_text())


def blocks_of(page: str) -> list[Block]:
    """Returns the blocks to type in of the text of a page, in their order.

    Raises:
        AssertionError: If a block has no end.
    """
    return [block for block in map(_typed, _fenced(page.splitlines())) if block is not None]


def commands_of(block: Block) -> list[Command]:
    """Returns the commands of a console block.

    Raises:
        AssertionError: If the block does not start with a command.
    """
    commands: list[list[str]] = []
    continued = False
    for line in block.text.splitlines():
        if continued:
            commands[-1][0] += f"\n{line}"
        elif line.startswith("$ "):
            commands.append([line.removeprefix("$ ")])
        else:
            assert commands, f"A console block must start with a command. Received in line {block.line}: {line!r}."
            commands[-1].append(line)
        continued = len(commands[-1]) == 1 and line.endswith("\\")
    return [Command(command, "\n".join(shown)) for command, *shown in commands]


def type_in(page: str, folder: Path) -> None:
    """Types a page in.

    Args:
        page: Text of the page.
        folder: The working folder of the reader, which should be empty.

    Raises:
        AssertionError: If a command fails, or something else is printed than the page shows.
    """
    session: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page):
        if block.kind == "file":
            (folder / block.name).write_text(block.text)
        elif block.kind == "console":
            session = {"__name__": "__main__"}
            _run(block, folder)
        else:
            with contextlib.chdir(folder):
                _evaluate(block, session)


class SteadyChecker(doctest.OutputChecker):
    """Compares printed text with shown text, but for times and other numbers that differ between two runs."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Returns whether the texts are equal but for these numbers."""
        return super().check_output(_steady(want), _steady(got), optionflags)


def difference(shown: str, printed: str) -> str:
    """Returns a description of how printed text differs from shown text, which is empty if it does not."""
    shown, printed = (f"{text.strip()}\n" for text in (shown, printed))
    checker = SteadyChecker()
    if checker.check_output(shown, printed, FLAGS):
        return ""
    return checker.output_difference(doctest.Example("", shown), printed, FLAGS)


def _fenced(lines: Sequence[str]) -> Iterator[Block]:
    """Yields all fenced blocks, with their info string as kind, but those that are not run."""
    start, opening, above = 0, None, ""
    for number, line in enumerate(lines, 1):
        match = _FENCE.fullmatch(line)
        if opening is None and match and match["info"].strip():
            start, opening = number + 1, match
        elif opening is not None and match and match["fence"] == opening["fence"] and not match["info"].strip():
            if not _NOT_RUN.search(above):
                text = textwrap.dedent("\n".join(lines[start - 1 : number - 1]))
                yield Block(opening["info"].strip(), text, start)
            opening, above = None, ""
        elif opening is None and line.strip():
            above = line
    assert opening is None, f"The block in line {start} has no end."


def _typed(block: Block) -> Block | None:
    """Returns what a reader does with a fenced block, or None if they only read it."""
    if block.kind in ("console", "pycon"):
        return block
    caption = re.match(r"((?::.*\n)*?):caption: *(\S+)\n((?::.*\n)*)\n*", block.text)
    if not block.kind.startswith("{code-block}") or caption is None:
        return None
    return Block("file", block.text[caption.end() :] + "\n", block.line, caption[2])


def _run(block: Block, folder: Path) -> None:
    """Runs the commands of a console block in one shell."""
    commands = commands_of(block)
    mark = "<the end of command "
    script = "".join(
        f"{command.text}\nstatus=$?; printf '\\n{mark}{number}: %s>\\n' $status; (exit $status)\n"
        for number, command in enumerate(commands)
    )
    programs = os.path.dirname(sys.executable)  # where pip installs `audiopipe`
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "HF_HUB_OFFLINE": "1",
        "XDG_CONFIG_HOME": f"{folder}-settings",  # for names that a page registers
    }
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    rest = ended.stdout
    for number, command in enumerate(commands):
        where = f"The command in the block of line {block.line}, {command.text!r},"
        printed, end, rest = rest.partition(f"\n{mark}{number}: ")
        assert end, f"{where} must end. Its shell printed:\n{printed}"
        status, _, rest = rest.partition(">\n")
        asked = commands[number + 1].text == "echo $?" if number + 1 < len(commands) else False
        assert status == "0" or asked, f"{where} must succeed. Its exit code is {status}. It printed:\n{printed}"
        differs = difference(command.shown, printed) if command.shown.strip() else ""
        assert not differs, f"{where} prints something else than the page shows.\n{differs}"


def _evaluate(block: Block, session: dict[str, object]) -> None:
    """Evaluates the examples of a Python session, and keeps its names."""
    test = doctest.DocTestParser().get_doctest(f"{block.text}\n", session, f"line {block.line}", "page", block.line - 1)
    assert test.examples, f"The Python session in line {block.line} must have examples, which start with '>>> '."
    said: list[str] = []
    runner = doctest.DocTestRunner(SteadyChecker(), optionflags=FLAGS | doctest.REPORT_ONLY_FIRST_FAILURE)
    runner.run(test, out=said.append, clear_globs=False)
    session.update(test.globs)
    assert not said, "".join(said)


def _steady(text: str) -> str:
    """Returns printed text without what differs between two runs: times, rates, and earlier lines of progress."""
    kept: list[str] = []
    for line in text.strip().splitlines():
        if kept and _PROGRESS.match(kept[-1]) and _PROGRESS.match(line):
            kept.pop()
        kept.append(line)
    text = "\n".join(kept)
    for pattern in _VARYING:
        text = re.sub(pattern, "", text)
    return text
