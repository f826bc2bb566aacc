"""A worker process of a job on one machine: `python -m audiopipe.precompute.worker`.

It is Apache Beam's worker, which ends as soon as the process that started it is gone, however that went: Beam's own
would go on with its shard.
"""

import os
import signal
import sys
import threading
import time

POLL_SECONDS = 0.2


def main() -> None:
    """Run until the job is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the job itself says when to end
    threading.Thread(target=_follow, args=[os.getppid()], daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
