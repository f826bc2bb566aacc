"""A worker process of a job on one machine: `python -m audiopipe.precompute.worker`.

It runs Apache Beam's worker, but ends as soon as the process that started it has ended for any reason. Beam's own
worker would continue with its shard.
"""

import os
import signal
import sys
import threading
import time

POLL_SECONDS = 0.2


def main() -> None:
    """Runs until the job is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group, but the job decides when to end
    threading.Thread(target=_follow, args=[os.getppid()], daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
