#!/usr/bin/env bash
# Runs precompute on a Spark cluster whose workers can start Docker containers:
#   JOB_ENDPOINT=HOST:8099 IMAGE=... pipelines/spark.sh INPUT OUTPUT --config NAME [options]
# JOB_ENDPOINT is the address of Apache Beam's job server for Spark, which was started with the address of the cluster.
# Options of audiopipe precompute and of Apache Beam are accepted.
set -euo pipefail

: "${JOB_ENDPOINT:?must be the address of a job server of Apache Beam for Spark, HOST:PORT}"
: "${IMAGE:?must be the container image built from the Dockerfile, as REGISTRY/audiopipe:TAG}"

exec python -m audiopipe precompute "$@" \
    --runner=PortableRunner \
    --job_endpoint="$JOB_ENDPOINT" \
    --environment_type=DOCKER \
    --environment_config="$IMAGE"
