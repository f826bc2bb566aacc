"""A Dask cluster with two worker processes. It writes its address to a file and ends when standard input closes."""

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
        os.replace(temporary, sys.argv[1])  # atomic, so that no reader sees a partial address
        sys.stdin.read()
