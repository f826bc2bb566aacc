"""`ComputeFeatures` in bundles: windows, timestamps, streams, order, threads, memory, and the graphs of a process."""

import pickle
import threading

import apache_beam
import numpy as np
import pytest
import soundfile
from apache_beam.options.pipeline_options import PipelineOptions, TypeOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing import test_stream
from apache_beam.transforms import window
from apache_beam.transforms.window import FixedWindows, SlidingWindows, TimestampedValue
from collecting import Collect, compute, pipeline

from audiopipe import Transform, beam, configs
from audiopipe.beam import bundle_features, elements
from audiopipe.beam.bundle_features import BundleFeatures
from audiopipe.runtime import threads
from audiopipe.transform.kernel import Kernel

NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)


def clip(number):
    return {"id": str(number), "audio": NOISE[: 1000 + 10 * number]}


class Placed(apache_beam.PTransform):
    """Elements with timestamps."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def expand(self, begin):
        return begin | apache_beam.Create(self.values) | apache_beam.Map(lambda value: value)


@pytest.fixture
def reads(monkeypatch):
    """The audio that is read, in the order in which reading begins."""
    found, read_blocks = [], Transform.read_blocks

    def noting(self, source, **options):
        found.append(source)
        return read_blocks(self, source, **options)

    monkeypatch.setattr(Transform, "read_blocks", noting)
    return found


def test_windows_and_timestamps_are_kept(mel):
    collected = Collect()
    values = [TimestampedValue(clip(number), number) for number in range(40)]
    with pipeline() as made:
        windowed = made | Placed(values) | apache_beam.WindowInto(FixedWindows(10))
        (windowed | beam.ComputeFeatures(mel)).features | collected
    assert len(collected.places) == 40
    for row, timestamp, found in collected.places:
        second = int(row["id"])
        assert timestamp == second
        assert (found.start, found.end) == (second // 10 * 10, second // 10 * 10 + 10)
        np.testing.assert_array_equal(row["feature"], mel(NOISE[: 1000 + 10 * second]))


def test_an_element_of_several_windows_is_computed_once(mel, reads):
    collected, failed = Collect(), Collect()
    values = [TimestampedValue(clip(number), number) for number in range(20)]
    with pipeline() as made:
        created = made | Placed([*values, TimestampedValue({"id": "x", "audio": None}, 7)])
        computed = created | apache_beam.WindowInto(SlidingWindows(6, 2)) | beam.ComputeFeatures(mel, "collect")
        computed.features | "Features" >> collected
        computed.failures | "Failures" >> failed
    assert len(reads) == 21
    found = [(int(row["id"]), timestamp, place.start) for row, timestamp, place in collected.places]
    assert sorted(found) == sorted(
        (second, second, start) for second in range(20) for start in range(-4, 20, 2) if start <= second < start + 6
    )
    assert sorted(place.start for _, _, place in failed.places) == [2, 4, 6]


def test_equal_elements_are_all_computed(mel):
    row = clip(3)
    collected = Collect()
    with pipeline() as made:
        repeated = made | apache_beam.Create([0]) | apache_beam.FlatMap(lambda _: 3 * [TimestampedValue(row, 10)])
        (repeated | apache_beam.WindowInto(SlidingWindows(4, 2)) | beam.ComputeFeatures(mel)).features | collected
    assert len(collected.places) == 3 * 2


def test_a_stream_is_computed_in_its_windows(clips, mel):
    collected, failed = Collect(), Collect()
    good, broken = str(clips / "mono.wav"), str(clips / "broken.wav")
    stream = (
        test_stream.TestStream()
        .advance_watermark_to(0)
        .add_elements([TimestampedValue(good, 1), TimestampedValue(broken, 2), TimestampedValue(good, 6)])
        .advance_watermark_to(10)
        .add_elements([TimestampedValue(good, 11)])
        .advance_watermark_to_infinity()
    )
    with pipeline(runner=BundleBasedDirectRunner(), streaming=True) as made:
        computed = made | stream | apache_beam.WindowInto(FixedWindows(5)) | beam.ComputeFeatures(mel, "collect")
        computed.features | "Features" >> collected
        computed.failures | "Failures" >> failed
    found = [(float(timestamp), float(place.start)) for _, timestamp, place in collected.places]
    assert sorted(found) == [(1, 0), (6, 5), (11, 10)]
    for row, _, _ in collected.places:
        np.testing.assert_array_equal(row["feature"], mel.compute(mel.read(good)))
    [(failure, timestamp, place)] = failed.places
    assert (failure["path"], timestamp, place) == (broken, 2, window.IntervalWindow(0, 5))


def test_features_can_be_grouped_by_window_in_a_stream(mel):
    collected = Collect()
    stream = test_stream.TestStream()
    for second in range(12):
        stream = stream.add_elements([TimestampedValue(clip(second), second)]).advance_watermark_to(second)
    with pipeline(runner=BundleBasedDirectRunner(), streaming=True) as made:
        windowed = made | stream.advance_watermark_to_infinity() | apache_beam.WindowInto(FixedWindows(4))
        rows = (windowed | beam.ComputeFeatures(mel)).features
        rows | apache_beam.Map(lambda row: ("all", row["id"])) | apache_beam.GroupByKey() | collected
    groups = [(sorted(map(int, ids)), place.start) for (_, ids), _, place in collected.places]
    assert sorted(groups) == [([0, 1, 2, 3], 0), ([4, 5, 6, 7], 4), ([8, 9, 10, 11], 8)]


@pytest.mark.cases(1)
@pytest.mark.parametrize("n_threads", [3, 1])
def test_the_order_of_a_bundle_is_kept(mel, monkeypatch, tmp_path, n_threads):
    monkeypatch.setattr(threads, "available", lambda: n_threads)
    rows = []
    for number in range(120):
        row = clip(number)
        if number % 3 == 0:
            path = tmp_path / f"{number}.wav"
            soundfile.write(path, row["audio"], 8000, subtype="FLOAT")
            row["audio"] = str(path)
        rows.append(row)
    rows[50]["audio"] = None
    features, [failure] = compute(rows, mel, "collect")
    assert [row["id"] for row in features] == [str(number) for number in range(120) if number != 50]
    assert failure["id"] == "50"
    for row in features[::17]:
        np.testing.assert_array_equal(row["feature"], mel(NOISE[: 1000 + 10 * int(row["id"])]))
    assert _reading_threads() == []


def test_no_thread_is_left_after_an_error(mel, monkeypatch, clips):
    monkeypatch.setattr(threads, "available", lambda: 3)
    with pytest.raises(Exception, match="holds no audio"):
        compute([{"id": "x", "audio": None}, *60 * [str(clips / "mono.wav")]], mel)
    assert _reading_threads() == []


def _reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("audiopipe-")]


@pytest.mark.parametrize(("n_threads", "most"), [(1, 17), (4, 49)])
def test_few_elements_are_held_back(mel, monkeypatch, n_threads, most):
    monkeypatch.setattr(threads, "available", lambda: n_threads)
    bundle = BundleFeatures(mel)
    yielded = 0
    for number in range(100):
        yielded += len(list(bundle.ready()))
        bundle.add(number, elements.parse(clip(number % 9), "audio", []))
        assert number + 1 - yielded <= most
    rest = [outcome.key for outcome in bundle.rest()]
    assert rest == list(range(yielded, 100))


def test_elements_with_much_audio_are_not_held_back(mel, monkeypatch):
    monkeypatch.setattr(bundle_features, "MOST_BYTES", 10 * NOISE.nbytes)
    bundle = BundleFeatures(mel)
    forms = [NOISE, NOISE.tobytes(), {"array": NOISE, "sampling_rate": 8000}, {"bytes": NOISE.tobytes(), "path": None}]
    yielded = 0
    for number in range(60):
        yielded += len(list(bundle.ready()))
        bundle.add(number, elements.parse({"id": str(number), "audio": forms[number % 4]}, "audio", []))
        assert number + 1 - yielded <= 11
    assert yielded + len(list(bundle.rest())) == 60


def test_bundles_of_a_process_share_one_graph(mel, monkeypatch):
    made, init = [], Kernel.__init__
    monkeypatch.setattr(Kernel, "__init__", lambda self, config: made.append(config) or init(self, config))
    config = configs.StftMagnitude(sample_rate=8000, n_fft=128, hop_length=77)  # which no other test has compiled
    for _ in range(2):
        with pipeline("--direct_num_workers=2", "--direct_running_mode=multi_threading") as pipe:
            created = pipe | apache_beam.Create([clip(number) for number in range(40)])
            for name in ("first", "second"):
                created | name >> beam.ComputeFeatures(Transform(config, feature=name))
    assert made == [config]


def test_the_transform_pickles_without_a_registry_or_graphs(config):
    transform = Transform(config)
    fresh = len(pickle.dumps(beam.ComputeFeatures(transform)))
    transform(NOISE)
    stage = beam.ComputeFeatures(transform)
    assert len(pickle.dumps(stage)) == fresh < 4000
    [row], _ = compute([clip(0)], pickle.loads(pickle.dumps(stage))._transform)
    np.testing.assert_array_equal(row["feature"], transform(NOISE[:1000]))


def test_types_are_declared(mel):
    made = pipeline()
    computed = made | apache_beam.Create(["a.wav"]) | beam.ComputeFeatures(mel)
    expected = apache_beam.typehints.Dict[str, apache_beam.typehints.Any]
    assert computed._fields == ("features", "failures")
    assert computed.features.element_type == computed.failures.element_type == expected


def test_pipelines_that_check_types_while_they_run_accept_the_features(mel):
    collected = Collect()
    options = PipelineOptions([])
    options.view_as(TypeOptions).runtime_type_check = True
    with apache_beam.Pipeline(runner="FnApiRunner", options=options) as made:
        rows = made | apache_beam.Create([clip(0), clip(1), {"id": "x", "audio": None}])
        computed = rows | beam.ComputeFeatures(mel, "collect")
        kept = computed.features | apache_beam.Filter(lambda row: row["id"] == "1")
        kept | apache_beam.Map(lambda row: row["n_frames"]).with_output_types(int) | collected
        computed.failures | apache_beam.Map(lambda row: row["error"]).with_output_types(str)
    assert collected.elements == [len(mel(clip(1)["audio"]))]
