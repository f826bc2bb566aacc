"""Every guide works as it is typed in, in an empty folder, and shows what happens there.

`make test` types in the guides with at most one command of audiopipe, and `make test-faults` the others.
"""

from pathlib import Path

import pytest
<<<<<<< HEAD
from console_blocks import blocks_of, commands_of, type_in
=======
from console_blocks import blocks_of, read_page, type_in
>>>>>>> cadecf90aadf05e3d49409b6956704efc7972fcf

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    path
    for folder in ("get-started", "how-to")
    for path in sorted((DOCS / folder).glob("*.md"))
    if blocks_of(path.read_text())
]
<<<<<<< HEAD


def n_commands(page):
    """Returns how many commands of audiopipe a page has. Each of them takes seconds."""
    commands = [command for block in blocks_of(page) if block.kind == "console" for command in commands_of(block)]
    return sum(command.text.startswith("audiopipe ") for command in commands)
=======
# `make test` types in these, and `make test-faults` the others: a command of audiopipe takes seconds.
SHORT = {
    "first-feature",
    "first-training",
    "train-from-a-folder",
    "train-from-a-csv",
    "train-from-the-hub",
    "add-clips",
    "pretrained",
    "read-without-audiopipe",
    "serve",
    "stream",
}
>>>>>>> cadecf90aadf05e3d49409b6956704efc7972fcf


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.faults] * (n_commands(path.read_text()) > 1))
        for path in PAGES
    ],
)
def test_a_guide_works_in_an_empty_folder(page, tmp_path):
    type_in(read_page(page), tmp_path)
