"""Tests of the runner of the blocks of a page."""

import pytest
from console_blocks import Block, Command, blocks_of, commands_of, difference, read_page, type_in


def page(*blocks):
    return "# A page\n\n" + "\n\n".join(f"```{kind}\n{text}\n```" for kind, text in blocks)


def test_blocks_are_those_that_a_reader_types_in():
    text = page(("console", "$ ls"), ("python", "import os"), ("{doctest}", ">>> 1\n1"), ("pycon", ">>> 2\n2"))
    assert blocks_of(text) == [Block("console", "$ ls", 4), Block("pycon", ">>> 2\n2", 17)]


def test_a_block_below_a_reason_is_not_run(tmp_path):
    text = "<!-- not run: it downloads -->\n```console\n$ pip install x\n```\n\n```console\n$ ls\n```"
    assert [block.text for block in blocks_of(text)] == ["$ ls"]
    with pytest.raises(AssertionError, match="must succeed"):
        type_in("<!-- not run: -->\n```console\n$ false\n```", tmp_path)  # without a reason


def test_a_block_in_a_list_loses_its_indentation():
    assert blocks_of("- a\n\n  ```console\n  $ ls\n  a\n  ```\n") == [Block("console", "$ ls\na", 4)]


def test_a_block_without_an_end_is_refused():
    with pytest.raises(AssertionError, match="line 2 has no end"):
        blocks_of("```console\n$ ls\n")


def test_commands_have_continued_lines_and_shown_output():
    block = Block("console", "$ a \\\n    b\nshown\n\nmore\n$ c", 1)
    assert commands_of(block) == [Command("a \\\n    b", "shown\n\nmore"), Command("c", "")]
    with pytest.raises(AssertionError, match="must start with a command"):
        commands_of(Block("console", "ls", 1))


def test_a_page_is_typed_in_in_one_folder_in_its_order(tmp_path):
    type_in(
        page(
            ("{code-block} python\n:caption: twice.py", "\nprint(2 * open('n').read())"),
            ("pycon", ">>> with open('n', 'w') as file:\n...     _ = file.write('17')"),
            ("console", "$ python twice.py\n1717\n$ export PLACE=below\n$ mkdir below; cd $PLACE\n$ pwd\n.../below"),
            ("pycon", ">>> import os\n>>> sorted(os.listdir())\n['below', 'n', 'twice.py']"),
        ),
        tmp_path,
    )


@pytest.mark.parametrize(
    "block",
    [
        ("console", "$ echo a\nb"),
        ("console", "$ echo a; echo b\na"),
        ("console", "$ true\na"),
        ("console", "$ echo to the other stream >&2\nnothing"),
        ("console", "$ false\n$ true"),
        ("console", "$ exit 0\n$ echo a\na"),
        ("pycon", ">>> 1 + 1\n3"),
        ("pycon", ">>> 1 / 0"),
        ("pycon", ">>> int('a')\nTraceback (most recent call last):\n    ...\nValueError: another message"),
        ("pycon", "1 + 1"),
    ],
    ids=lambda block: block[1].replace("\n", "|"),
)
def test_a_page_that_is_wrong_is_found(block, tmp_path):
    with pytest.raises(AssertionError):
        type_in(page(block), tmp_path)


def test_a_command_may_fail_if_its_exit_code_is_shown(tmp_path):
    type_in(page(("console", "$ sh -c 'echo no; exit 3'\nno\n$ echo $?\n3")), tmp_path)
    with pytest.raises(AssertionError, match="something else"):
        type_in(page(("console", "$ sh -c 'exit 3'\n$ echo $?\n4")), tmp_path)


def test_a_console_block_ends_the_python_session(tmp_path):
    session = (("pycon", ">>> a = 1"), ("pycon", ">>> a\n1"))
    type_in(page(*session), tmp_path)
    with pytest.raises(AssertionError, match="'a' is not defined"):
        type_in(page(session[0], ("console", "$ ls"), session[1]), tmp_path)


def test_shown_output_may_leave_out_text_times_and_earlier_progress():
    progress = (
        "clips 2 of 9 (22 %), 1.0 clips/s, 7 s left\nclips 9 of 9 (100 %), 8.5 clips/s, 0 s left\n│ time │ 3.1 s │"
    )
    assert not difference("clips 9 of 9 (100 %), 120 clips/s, 0 s left\n│ time  │ 14.7 s │", progress)
    assert difference("clips 8 of 9 (100 %), 120 clips/s, 0 s left\n│ time  │ 14.7 s │", progress)
    epoch = "Epoch 1/3\n9/9 - 3s - 330ms/step - accuracy: 0.75 - loss: 0.84"
    assert not difference("Epoch 1/3\n9/9 - 1s - 7ms/step - accuracy: 0.69 - loss: 0.92", epoch)
    assert difference("Epoch 1/3\n8/8 - 1s - 7ms/step - accuracy: 0.69 - loss: 0.92", epoch)
    assert not difference("a\n...\nc", "a\nb\nb\nc")
    assert difference("a\n...\nc", "a\nb\nb")


def test_a_file_that_a_page_includes_is_a_file_of_the_reader(tmp_path):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/team.py").write_text("SIX = 6\n\nprint(SIX)\n")
    text = page(("{literalinclude} examples/team.py", ":caption: mine.py"), ("{literalinclude} examples/x.py", ""))
    (tmp_path / "guide.md").write_text(text)
    [block] = blocks_of(read_page(tmp_path / "guide.md"))
    assert (block.kind, block.name, block.text) == ("file", "mine.py", "SIX = 6\n\nprint(SIX)\n")
