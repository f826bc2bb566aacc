"""A pool of Apache Beam's Python workers for the environment EXTERNAL, each of them a process of its own.

It writes its address to a file and runs until it is killed. Beam's own program, `worker_pool_main`, needs a fixed port
and accepts connections from other machines.
"""

import os
import sys
import threading

import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils import thread_pool_executor

if __name__ == "__main__":
    server = grpc.server(thread_pool_executor.shared_unbounded_instance())
    port = server.add_insecure_port("127.0.0.1:0")
    servicer = BeamFnExternalWorkerPoolServicer(use_process=True)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(servicer, server)
    server.start()
    temporary = f"{sys.argv[1]}.tmp"
    with open(temporary, "w") as file:
        file.write(f"127.0.0.1:{port}")
    os.replace(temporary, sys.argv[1])  # atomic, so that no reader sees a partial address
    threading.Event().wait()
