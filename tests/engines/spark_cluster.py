"""A Spark cluster on this machine: a master and two workers, which only this machine can reach."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import artifacts
from launching import program

N_WORKERS = 2
CORES = 1  # of each worker
MEMORY = "700m"  # of each worker, for one executor
HEAP = "-Xmx256m"  # of the master and of each worker, which only start executors
SECONDS = 120
MASTER = "org.apache.spark.deploy.master.Master"
WORKER = "org.apache.spark.deploy.worker.Worker"
# Properties of a driver, here the job server. Beam and Spark add what Java 17 needs, on the driver and on executors.
DRIVER = [
    "-Xmx512m",
    "-Dspark.driver.host=127.0.0.1",
    "-Dspark.driver.bindAddress=127.0.0.1",
    "-Dspark.ui.enabled=false",
    "-Dspark.executor.memory=512m",
]


@contextlib.contextmanager
def spark_cluster(folder: Path) -> Iterator[str]:
    """Starts a cluster and yields its address, `spark://HOST:PORT`. When the context ends, its processes are killed.

    Args:
        folder: Folder for its logs and files.
    """
    artifacts.require("java")
    [home] = artifacts.unpacked("spark").glob("*/deps")
    # Workers look for the jars of executors in SPARK_HOME. Spark's scripts set the version of Scala.
    variables = {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_SCALA_VERSION": "2.12"}
    java = ["java", HEAP, "-cp", f"{home}/jars/*"]
    ports = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    with contextlib.ExitStack() as stack:
        log = folder / "master.log"
        master = stack.enter_context(program([*java, MASTER, *ports], log, variables))
        address = _until(log, master, r"Starting Spark master at (spark://127\.0\.0\.1:\d+)")
        for number in range(N_WORKERS):
            own = ["--cores", str(CORES), "--memory", MEMORY, "--work-dir", str(folder / f"work-{number}"), address]
            stack.enter_context(program([*java, WORKER, *ports, *own], folder / f"worker-{number}.log", variables))
        _until(log, master, "(?s)" + ".*".join(["(Registering worker)"] * N_WORKERS))
        yield address


def executors(folder: Path) -> list[Path]:
    """Returns the folders of all executors that the workers have started."""
    return [path for path in folder.glob("work-*/app-*/*") if path.is_dir()]


def _until(log: Path, process: Popen, pattern: str) -> str:
    """Waits until a process has logged something, and returns the first group of the pattern."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = re.search(pattern, log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"Spark did not log {pattern!r}:\n{log.read_text(errors='replace')}")
