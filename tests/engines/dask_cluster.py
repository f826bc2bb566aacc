"""A Dask cluster of two worker processes. Its address is written to a file. It ends with standard input."""

import os
import sys

import distributed

if __name__ == "__main__":
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, worker_dashboard_address=None
    ) as cluster:
        temporary = f"{sys.argv[1]}.tmp"
        with open(temporary, "w") as file:
            file.write(cluster.scheduler_address)
        os.replace(temporary, sys.argv[1])  # whoever waits for it never reads half of it
        sys.stdin.read()
