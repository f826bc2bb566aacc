"""Every guide works as it is typed in, in an empty folder, and shows what happens there."""

from pathlib import Path

import pytest
from console_blocks import blocks_of, type_in

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [
    path
    for folder in ("get-started", "how-to")
    for path in sorted((DOCS / folder).glob("*.md"))
    if blocks_of(path.read_text())
]
# `make test` types in these, and `make test-faults` the others: a command of audiopipe takes seconds.
SHORT = {
    "first-feature",
    "first-training",
    "train-from-a-folder",
    "train-from-a-csv",
    "train-from-the-hub",
    "add-clips",
}


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=[pytest.mark.faults] * (page.stem not in SHORT)) for page in PAGES]
)
def test_a_guide_works_in_an_empty_folder(page, tmp_path):
    type_in(page.read_text(), tmp_path)
