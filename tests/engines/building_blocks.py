"""The building blocks of `audiopipe.beam` on any engine, compared with `audiopipe precompute`."""

from pathlib import Path

from launching import Job, started
from matrix import Work
from process_groups import ROOT

from audiopipe import FeatureSet

PROGRAM = ROOT / "tests/engines/user_pipeline.py"
MIN_FRAMES = 30  # longer than some of the clips


def same_bits(work: Work, folder: Path, *flags: str, seconds: float = 400) -> str:
    """Checks that the pipeline writes the bits of `audiopipe precompute`, and returns what it prints.

    Args:
        work: The clips, the config, and the bytes that precompute writes.
        folder: Empty folder for the output.
        flags: Options of Apache Beam that choose the engine.
        seconds: Time limit.
    """
    output, log = folder / "blocks", folder / "blocks.log"
    with started([PROGRAM, work.source, output, work.config_file, MIN_FRAMES, *flags], log) as process:
        job = Job(process, log)
        assert job.wait(seconds) == 0, job.printed
        printed = job.printed
    made = FeatureSet(output)
    computed = FeatureSet(work.computed)
    expected = {
        str(work.source / row["id"]): row["feature"].tobytes() for row in computed if row["n_frames"] >= MIN_FRAMES
    }
    assert 0 < len(expected) < len(computed)
    assert {row["id"]: row["feature"].tobytes() for row in made} == expected
    assert made.counts["failures"] == 1
    assert made.fingerprint == computed.fingerprint
    return printed
