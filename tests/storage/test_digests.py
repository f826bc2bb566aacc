"""Digests depend on the bytes alone."""

import io

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from audiopipe.storage import digests


@given(st.lists(st.binary(max_size=300)))
def test_the_digest_is_that_of_xxh3_however_the_bytes_are_cut(pieces):
    assert digests.of(pieces) == xxhash.xxh3_128_digest(b"".join(pieces))


def test_the_rest_of_an_open_file_is_read_in_blocks():
    file = io.BytesIO(bytes(digests.BLOCK + 10))
    file.seek(7)
    assert [len(block) for block in digests.blocks(file)] == [digests.BLOCK, 3]
