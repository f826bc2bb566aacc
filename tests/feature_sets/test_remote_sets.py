"""Feature sets on remote storage: only the bytes that are needed are requested."""

import http.server
import pickle
import re
import threading

import fsspec
import numpy as np
import pytest
import synthetic_sets
from synthetic_sets import CHANNELS_FIRST, feature

from audiopipe import FeatureSet
from audiopipe.errors import CorruptFeatureSetError, IncompleteFeatureSetError
from audiopipe.feature_sets.index import reader
from audiopipe.inputs.columns import Columns

COLUMNS = Columns(types={"take": "int"})
N_FRAMES = 2000


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, with requests of ranges, and counts the bytes that it sends."""

    def do_GET(self):
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        try:
            with open(self.translate_path(self.path), "rb") as file:
                data = file.read()
        except OSError:
            self.send_error(404)
            return
        size = len(data)
        if found and self.server.ranges:
            first, last = int(found[1]), min(int(found[2]), size - 1)
            data = data[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.server.sent.append((self.path, len(data)))
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "features"
    clips = {f"{number}": (feature(N_FRAMES, CHANNELS_FIRST, seed=number), {"take": number}) for number in range(6)}
    synthetic_sets.write(path, clips, CHANNELS_FIRST, COLUMNS)
    return path


@pytest.fixture(scope="module")
def server(folder):
    def handler(*arguments):
        return Handler(*arguments, directory=str(folder.parent))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.sent, running.ranges = [], True
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(params=["memory", "http"])
def remote(request, folder):
    if request.param == "http":
        port = request.getfixturevalue("server").server_address[1]
        yield f"http://127.0.0.1:{port}/features"
        return
    storage = fsspec.filesystem("memory")
    storage.put(str(folder), "/served", recursive=True)
    yield "memory://served"
    storage.rm("/served", recursive=True)


@pytest.mark.parametrize("small", [1 << 24, 0], ids=["whole index", "index in ranges"])
def test_a_remote_set_is_read_like_a_local_one(remote, folder, monkeypatch, small):
    monkeypatch.setattr(reader, "SMALL_BYTES", small)
    local, sets = FeatureSet(folder), FeatureSet(remote)
    assert sets.metadata == local.metadata
    assert sets.where(take=[1, 5]).ids == ["1", "5"]
    for clip, expected in zip(sets, local, strict=True):
        np.testing.assert_array_equal(clip["feature"], expected["feature"])
        assert clip["take"] == expected["take"]
    np.testing.assert_array_equal(sets.read("4", start=7, stop=30), local["4"]["feature"][:, 7:30])
    assert pickle.loads(pickle.dumps(sets))[3]["id"] == "3"


def test_only_the_frames_are_requested(server):
    sets = FeatureSet(f"http://127.0.0.1:{server.server_address[1]}/features")
    sets.read(0, start=0, stop=1)  # the first one of a shard also reads the beginning of the shard
    server.sent.clear()
    sets.read(0, start=100, stop=200)
    sets.read(2, start=1900, stop=2000)
    assert len(server.sent) == 6  # the beginning of the record, and one range for each channel
    assert sum(size for _, size in server.sent) == 2 * (12 + 2 * 100 * 20 * 4)
    server.sent.clear()
    sets[1]
    [(path, size)] = server.sent
    assert path == "/features/features-00000000.tfrecord"
    assert size < 2 * N_FRAMES * 20 * 4 + 500


def test_a_server_without_ranges_is_named(server, monkeypatch):
    sets = FeatureSet(f"http://127.0.0.1:{server.server_address[1]}/features")
    monkeypatch.setattr(server, "ranges", False)
    with pytest.raises(OSError, match=r"The server of 'http://.*tfrecord' does not support requests of ranges"):
        sets[0]


def test_missing_remote_files_are_named(server, folder):
    root = f"http://127.0.0.1:{server.server_address[1]}"
    with pytest.raises(IncompleteFeatureSetError, match="nowhere"):
        FeatureSet(f"{root}/nowhere")
    sets = FeatureSet(f"{root}/features")
    shard = folder / "features-00000001.tfrecord"
    shard.rename(folder / "moved")
    try:
        with pytest.raises(CorruptFeatureSetError, match=r"The shard 'http://.*features-00000001.tfrecord' is missing"):
            sets[5]
    finally:
        (folder / "moved").rename(shard)
