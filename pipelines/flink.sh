#!/usr/bin/env bash
# Runs precompute on a Flink cluster whose task managers can start Docker containers:
#   FLINK_MASTER=HOST:8081 FLINK_VERSION=1.20 IMAGE=... PARALLELISM=... \
#     pipelines/flink.sh INPUT OUTPUT --config NAME [options]
# audiopipe starts Apache Beam's job server on this machine, which needs Java 11 or 17. Options of audiopipe precompute,
# of Apache Beam and of the job server are accepted.
set -euo pipefail

: "${FLINK_MASTER:?must be the address of the cluster, HOST:PORT}"
: "${FLINK_VERSION:?must be the version of the cluster, for example 1.20}"
: "${IMAGE:?must be the container image built from the Dockerfile, as REGISTRY/audiopipe:TAG}"
: "${PARALLELISM:?must be the number of shards to compute at once, at most the number of task slots of the cluster}"

exec python -m audiopipe precompute "$@" \
    --runner=FlinkRunner \
    --flink_master="$FLINK_MASTER" \
    --flink_version="$FLINK_VERSION" \
    --parallelism="$PARALLELISM" \
    --environment_type=DOCKER \
    --environment_config="$IMAGE"
