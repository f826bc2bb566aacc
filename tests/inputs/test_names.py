"""Unusual names of files and clips reach the loaded feature set unchanged, or are refused with a clear error."""

import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiopipe import inputs
from audiopipe.errors import InputError
from audiopipe.inputs import listings
from audiopipe.inputs.listings import Listed

FILES = [
    "two words.wav",
    " leading and trailing .wav",
    "a'\"b`.wav",
    "two\nlines\r\n.wav",
    "tab\t.wav",
    "back\\slash.wav",
    "100%#?*[x]{a,b}.wav",
    "$(HOME);~&|<>!.wav",
    "a..wav.wav",
    "-rf.wav",
    "--config=x.wav",
    "歌🎵.wav",
    "\u202egnp.wav",
    unicodedata.normalize("NFC", "Zoë.wav"),
    unicodedata.normalize("NFD", "Zoë.wav"),
    os.fsdecode(b"caf\xe9.wav"),
    os.fsdecode(b"\xff\xfe.wav"),
    f"{'n' * 251}.wav",
    f"{'long folder ' * 20}/{'long folder ' * 20}/a.wav",
    "sub.wav/a.wav",
    "sub#00001/a.wav#00001.wav",
]
GONE = ["dangling.wav", "pipe.wav", "self.wav"]  # a dangling link, a pipe, and a link to itself
IDS = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "C:\\Windows\\a.wav",
    "-rf /",
    "two\nlines",
    "nothing\0behind",
    unicodedata.normalize("NFC", "Zoë"),
    unicodedata.normalize("NFD", "Zoë"),
    os.fsdecode(b"caf\xe9"),
    "n" * 100_000,
    "features-00000-of-00001.tfrecord",
]


def _tree(folder):
    """Returns every path below a folder, with the content of files and the names of subfolders."""
    found = {}
    for path, folders, files in os.walk(folder):
        found[path] = sorted(folders)
        for name in files:
            whole = os.path.join(path, name)
            found[whole] = Path(whole).read_bytes() if os.path.isfile(whole) else os.lstat(whole).st_mode
    return found


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Returns a folder with a file of each name, and links that form cycles."""
    folder = tmp_path_factory.mktemp("names") / "in"
    draw = np.random.default_rng(0)
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = 0.1 * draw.standard_normal(800)
        with open(path, "wb") as file:
            soundfile.write(file, content, 8000, format="WAV")
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "sub.wav" / "up").symlink_to("..", target_is_directory=True)
    (folder / "self.wav").symlink_to("self.wav")
    os.mkfifo(folder / "pipe.wav")
    (folder / "dangling.wav").symlink_to("nowhere.wav")
    return folder


@pytest.fixture(scope="module")
def manifest(clips):
    """Returns a manifest that refers to the files in many ways, with ids that look like paths, and its ids."""
    rows = [{"path": name} for name in FILES]
    rows += [{"path": f"../in/{FILES[0]}"}, {"path": f"{clips}/{FILES[1]}"}, {"path": f"{clips}/circle/{FILES[2]}"}]
    rows += [{"path": f"./sub.wav/../{FILES[3]}"}]
    rows += [{"path": FILES[number], "id": id} for number, id in enumerate(IDS)]
    path = clips / "clips.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path, [row.get("id", row["path"]) for row in rows]


def _listed(source):
    """Returns the clips of a source, after a round trip through the JSON of a plan."""
    return [Listed.from_json(clip.to_json()) for clip in listings.identify(inputs.scan(source))]


def test_every_name_in_a_folder_is_listed_with_its_size_and_version(clips):
    found = {clip.source.id: clip for clip in _listed(clips)}
    assert sorted(found) == sorted([*FILES, *GONE])
    for name in FILES:
        assert found[name].source.path == f"{clips}/{name}"
        assert (found[name].size, found[name].version) == (1644, str(os.stat(clips / name).st_mtime_ns))
    assert [found[name].size for name in GONE] == [None, None, None]


def test_every_name_in_a_manifest_is_listed_with_its_size(manifest):
    path, ids = manifest
    found = _listed(path)
    assert [clip.source.id for clip in found] == ids
    assert {clip.size for clip in found} == {1644}


def test_names_in_a_csv_may_be_quoted(clips, tmp_path):
    (tmp_path / "clips.csv").write_text(f'path,id\n"{clips}/two\nlines\r\n.wav","say ""a, b"""\n', newline="")
    assert [(clip.source.id, clip.size) for clip in _listed(tmp_path / "clips.csv")] == [('say "a, b"', 1644)]


@pytest.mark.parametrize("name", ["gone\0.wav", "n" * 300 + ".wav", "x/" * 3000 + "a.wav", "../" * 100 + "gone.wav"])
def test_names_that_no_file_can_have_are_listed_as_missing_files(tmp_path, name):
    (tmp_path / "clips.jsonl").write_text(json.dumps({"path": name}))
    assert [(clip.source.id, clip.size, clip.version) for clip in _listed(tmp_path / "clips.jsonl")] == [
        (name, None, None)
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"path": "a.wav"}, {"path": "a.wav"}),
        ({"path": "a.wav", "id": "../x"}, {"path": "b.wav", "id": "../x"}),
        ({"path": "a.wav", "id": 7}, {"path": "b.wav", "id": "7"}),
    ],
)
def test_duplicate_ids_in_a_manifest_are_refused(tmp_path, first, second):
    (tmp_path / "clips.jsonl").write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")
    with pytest.raises(InputError, match=r"Two clips of .*clips\.jsonl' have the id"):
        _listed(tmp_path / "clips.jsonl")


@pytest.mark.parametrize("source", ["folder", "manifest"])
def test_all_names_reach_the_loaded_feature_set_and_nothing_is_written_outside_it(
    clips, manifest, tmp_path, config, source, monkeypatch
):
    beam = pytest.importorskip("audiopipe.beam")
    from audiopipe import load

    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    before = _tree(clips.parent), _tree(tmp_path)
    path, ids = (clips, sorted([*FILES, *GONE])) if source == "folder" else manifest
    beam.precompute(path, tmp_path / "out", config, num_shards=3)
    gone = GONE if source == "folder" else []
    failures = [json.loads(line) for line in (tmp_path / "out/failures.jsonl").read_text().splitlines()]
    assert [(failure["id"], failure["stage"]) for failure in failures] == [(name, "read") for name in gone]
    loaded = [element["id"] for element in load(tmp_path / "out", config).as_numpy_iterator()]
    assert loaded == [id.encode("utf-8", "surrogateescape") for id in ids if id not in gone]
    after = _tree(clips.parent), _tree(tmp_path)
    assert after[0] == before[0]
    outside = {path: what for path, what in after[1].items() if not path.startswith(f"{tmp_path}/out")}
    assert outside.pop(str(tmp_path)) == ["out", "working"]
    before[1].pop(str(tmp_path))
    assert outside == before[1]
