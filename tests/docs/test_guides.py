"""Every guide works as it is typed in, in an empty folder, and shows what happens there.

`make test` types in the guides with at most one command of audiopipe, and `make test-faults` the others.
"""

from pathlib import Path

import pytest
from console_blocks import blocks_of, commands_of, read_page, type_in

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    path
    for folder in ("get-started", "how-to")
    for path in sorted((DOCS / folder).glob("*.md"))
    if blocks_of(read_page(path))
]


def n_commands(page):
    """Returns how many commands of audiopipe a page has. Each of them takes seconds."""
    commands = [command for block in blocks_of(page) if block.kind == "console" for command in commands_of(block)]
    return sum(command.text.startswith("audiopipe ") for command in commands)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.faults] * (n_commands(read_page(path)) > 1))
        for path in PAGES
    ],
)
def test_a_guide_works_in_an_empty_folder(page, tmp_path):
    type_in(read_page(page), tmp_path)
