# The container in which workers of Dataflow, Flink and Spark run audiopipe:
#   docker build --tag REGISTRY/audiopipe:TAG .
# Its versions of Apache Beam and Python must be those of the machine that launches the job.
FROM apache/beam_python3.11_sdk:2.77.0

# Dataflow mounts folders that only root may write to. Elsewhere: --build-arg USER=nobody
ARG USER=root

COPY pyproject.toml constraints.txt README.md LICENSE /tmp/audiopipe/
COPY audiopipe /tmp/audiopipe/audiopipe
RUN pip install --no-cache-dir --constraint /tmp/audiopipe/constraints.txt "/tmp/audiopipe[beam,gcs]" \
    && rm -r /tmp/audiopipe \
    && python -c "import audiopipe.beam, gcsfs, soundfile, soxr, tensorflow"

# A runner starts a process a core. The packages above are installed globally, so a virtual environment for each of
# these processes would only cost time.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    TF_NUM_INTEROP_THREADS=1 \
    TF_NUM_INTRAOP_THREADS=1

USER ${USER}
# The entry point is that of the base image, which starts Apache Beam's worker.
