"""Failures and remarks by kind."""

from audiopipe.plotting.reports import messages


def failure(number, error):
    return {"id": f"clip {number}", "path": "", "stage": "decode", "error": error}


def test_messages_of_one_kind_are_counted_together_with_the_first_examples():
    lines = [failure(number, f"Could not read '/{number}.wav': {number} bytes.") for number in range(5)]
    found = messages.failures([*lines, failure(9, "Too short.")])
    assert found.total == 6
    assert [(kind.text, kind.count) for kind in found.shown] == [
        ("decode: Could not read ...: ... bytes.", 5),
        ("decode: Too short.", 1),
    ]
    assert found.shown[0].examples == [
        (f"clip {number}", f"decode: Could not read '/{number}.wav': {number} bytes.") for number in range(3)
    ]
    assert (found.n_others, found.others) == (0, 0)


def test_rare_kinds_are_counted_but_not_shown():
    lines = [failure(kind, f"error {'x' * kind}") for kind in range(12) for _ in range(12 - kind)]
    found = messages.failures(lines)
    assert [kind.count for kind in found.shown] == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert (found.n_others, found.others) == (2, 3)


def test_remarks_have_no_stage():
    found = messages.remarks([{"id": "a", "path": "", "stage": "read", "remark": "The end is missing."}])
    assert found.shown[0].text == "The end is missing."
