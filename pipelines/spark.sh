#!/usr/bin/env bash
# Runs precompute on a Spark cluster whose workers can start Docker containers:
#   SPARK_MASTER=spark://HOST:7077 IMAGE=... pipelines/spark.sh INPUT OUTPUT --config NAME [options]
# Apache Beam's job server starts on this machine, which needs Java. It is the driver of the job, so all workers of the
# cluster must be able to connect to this machine. With JOB_ENDPOINT=HOST:8099 instead of SPARK_MASTER, a job server
# that runs already gets the job. Options of audiopipe precompute and of Apache Beam are accepted.
set -euo pipefail

if [[ -n "${JOB_ENDPOINT:-}" ]]; then
    engine=(--runner=PortableRunner --job_endpoint="$JOB_ENDPOINT")
else
    : "${SPARK_MASTER:?must be the address of the cluster, spark://HOST:PORT, unless JOB_ENDPOINT names a job server}"
    engine=(--runner=SparkRunner --spark_master_url="$SPARK_MASTER")
fi
: "${IMAGE:?must be the container image built from the Dockerfile, as REGISTRY/audiopipe:TAG}"

exec python -m audiopipe precompute "$@" \
    "${engine[@]}" \
    --environment_type=DOCKER \
    --environment_config="$IMAGE"
