"""A Flink cluster on this machine: a job manager and two task managers, which only this machine can reach."""

import contextlib
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import artifacts
from launching import program

N_TASK_MANAGERS = 2
SLOTS = 1  # of each task manager
JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
# Flink's scripts compute these sizes and pass them to the program.
MEMORY = {
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "64m",
    "taskmanager.memory.task.heap.size": "256m",
    "taskmanager.memory.task.off-heap.size": "0",
    "taskmanager.memory.managed.size": "64m",
    "taskmanager.memory.network.min": "128m",  # several jobs with shuffles need more than 32m
    "taskmanager.memory.network.max": "128m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
}
HEAP = "-Xmx512m"
# From conf/config.yaml of Flink, env.java.opts.all: what Flink's serialization needs in Java 17.
OPENED = [
    "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
    "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.lang",
            "java.net",
            "java.io",
            "java.nio",
            "java.time",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "java.util.concurrent.locks",
            "java.lang.reflect",
            "java.text",
            "sun.nio.ch",
            "sun.security.util",
        )
    ),
]


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Args:
        address: Address of its REST interface, `HOST:PORT`.
        folder: Folder of its logs.
    """

    address: str
    folder: Path

    def get(self, path: str) -> dict:
        """Returns an answer of the REST interface."""
        with urllib.request.urlopen(f"http://{self.address}/{path}", timeout=10) as answer:
            return json.load(answer)

    def states(self) -> list[str]:
        """Returns the states of all jobs."""
        return [job["state"] for job in self.get("jobs/overview")["jobs"]]


@contextlib.contextmanager
def flink_cluster(folder: Path, name: str = "flink") -> Iterator[Cluster]:
    """Starts a cluster. When the context ends, its processes are killed.

    Args:
        folder: Folder for its settings, logs and temporary files.
        name: Name of the artifact with Flink's jars.
    """
    artifacts.require("java")
    libraries = _libraries(artifacts.unpacked(name))
    port = _free_port()
    common = {
        "jobmanager.rpc.address": "127.0.0.1",
        "jobmanager.bind-host": "127.0.0.1",
        "jobmanager.rpc.port": port,
        "jobmanager.memory.process.size": "1024m",
        "rest.address": "127.0.0.1",
        "rest.bind-address": "127.0.0.1",
        "rest.bind-port": "0",
        "taskmanager.host": "127.0.0.1",
        "taskmanager.bind-host": "127.0.0.1",
        "taskmanager.numberOfTaskSlots": SLOTS,
        "parallelism.default": 1,
        **MEMORY,
    }
    with contextlib.ExitStack() as stack:
        manager = _started(stack, folder / "job-manager", libraries, JOB_MANAGER, common)
        address = _rest_address(folder / "job-manager" / "log", manager)
        for number in range(N_TASK_MANAGERS):
            _started(stack, folder / f"task-manager-{number}", libraries, TASK_MANAGER, common)
        cluster = Cluster(address, folder)
        end = time.monotonic() + 200
        while _slots(cluster) < SLOTS * N_TASK_MANAGERS:
            assert time.monotonic() < end, f"The task managers did not register: {folder}"
            time.sleep(0.2)
        yield cluster


def _slots(cluster: Cluster) -> int:
    """Returns the number of slots that have registered, or 0 while the job manager starts."""
    try:
        return cluster.get("overview")["slots-total"]
    except urllib.error.HTTPError:  # 503, until it has become the leader
        return 0


def _libraries(folder: Path) -> str:
    """Returns the class path of Flink."""
    [lib] = folder.glob("*/deps/lib")
    return f"{lib}/*"


def _started(stack, folder, libraries, main, settings):
    """Starts a process of the cluster with a folder of its own."""
    folder.mkdir(parents=True)
    own = {**settings, "io.tmp.dirs": folder / "tmp", "web.upload.dir": folder / "tmp"}
    (folder / "tmp").mkdir()
    text = "".join(f"{key}: {value}\n" for key, value in own.items())
    (folder / "flink-conf.yaml").write_text(text)  # the name up to Flink 1.20
    (folder / "config.yaml").write_text(text)
    log = folder / "log4j.properties"
    log.write_text(
        "rootLogger.level = INFO\nrootLogger.appenderRef.console.ref = Console\n"
        "appender.console.name = Console\nappender.console.type = CONSOLE\n"
        "appender.console.layout.type = PatternLayout\n"
        "appender.console.layout.pattern = %d %-5p %-60c %x - %m%n\n"
    )
    options = [HEAP, f"-Dlog4j.configurationFile=file:{log}", f"-Djava.io.tmpdir={folder / 'tmp'}", *OPENED]
    command = ["java", *options, "-cp", libraries, main, "--configDir", folder]
    return stack.enter_context(program(command, folder / "log", {"HADOOP_CONF_DIR": ""}))


def _rest_address(log: Path, process) -> str:
    """Returns the address that the system has given to the REST interface."""
    end = time.monotonic() + 200
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"Rest endpoint listening at (127\.0\.0\.1:\d+)", log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"The job manager did not start:\n{log.read_text(errors='replace')}")


def _free_port() -> int:
    """Returns a port that was free a moment ago. Task managers must know it before the job manager has started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
