"""Times and memory of a job on an engine: `python tests/engines/measuring.py [options of Apache Beam]`.

It computes 200 clips of 10 s with `speech-mel-80` in 16 shards. Memory is the largest resident size of each process
that belongs to the job, as the kernel counts it; pages that processes share count in each of them.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

N_CLIPS = 200
N_SHARDS = 16
RATE = 16000
SECONDS = 10


def write_clips(folder: Path) -> None:
    """Writes the clips, FLAC files of noise."""
    noise = np.random.default_rng(0)
    for number in range(N_CLIPS):
        soundfile.write(folder / f"{number:03}.flac", 0.1 * noise.standard_normal(SECONDS * RATE), RATE)


def family(root: int) -> dict[int, str]:
    """Returns the command of a process and of each of its descendants, by process id."""
    parents, commands = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it has ended
            continue
        commands[int(folder.name)] = words
    found = {root}
    while True:
        more = {process for process, parent in parents.items() if parent in found} - found
        if not more:
            return {process: commands.get(process, "") for process in found}
        found |= more


def facts(process: int) -> tuple[float, float]:
    """Returns the peak memory in MB of a living process, and its processor time in seconds."""
    status = Path(f"/proc/{process}/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return peak / 1000, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(source: Path, output: Path, options: list[str], roots: list[int]) -> None:
    """Runs the job and prints what was measured.

    Args:
        source: INPUT.
        output: OUTPUT.
        options: Options of the engine.
        roots: Ids of other processes that work for the job, such as those of a cluster.
    """
    command = [sys.executable, "-m", "audiopipe", "precompute", source, output, "--config", "speech-mel-80"]
    started = time.monotonic()
    job = subprocess.Popen([*map(str, command), "--num-shards", str(N_SHARDS), *options])
    seen, first = {}, None
    while job.poll() is None:
        for root in (job.pid, *roots):
            for process, words in family(root).items():
                try:
                    seen[process] = (*facts(process), words)
                except (OSError, StopIteration):
                    continue
        if first is None and any(output.glob("plan/shard-*.json")):
            first = time.monotonic() - started
        time.sleep(0.1)
    total = time.monotonic() - started
    print(f"exit code {job.returncode}; {total:.1f} s, first shard after {first or 0:.1f} s")
    print(
        f"{N_CLIPS / total:.1f} clips/s in all, {N_CLIPS * (1 - 1 / N_SHARDS) / (total - (first or 0)):.1f} after that"
    )
    for peak, processor, words in sorted(seen.values(), reverse=True):
        if peak > 15:
            print(f"{peak:7.0f} MB {processor:6.1f} s  {words[:150]}")


if __name__ == "__main__":
    given = sys.argv[1:]
    members = [int(word.removeprefix("process=")) for word in given if word.startswith("process=")]
    with tempfile.TemporaryDirectory() as temporary:
        clips = Path(temporary) / "clips"
        clips.mkdir()
        write_clips(clips)
        of_engine = [word for word in given if not word.startswith("process=")]
        measure(clips, Path(temporary) / "features", of_engine, members)
