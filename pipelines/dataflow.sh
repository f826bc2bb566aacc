#!/usr/bin/env bash
# Runs precompute on Google Cloud Dataflow:
#   PROJECT=... REGION=... IMAGE=... TEMP_LOCATION=gs://... pipelines/dataflow.sh INPUT OUTPUT --config NAME [options]
# INPUT and OUTPUT are in Cloud Storage. MACHINE_TYPE and MAX_WORKERS have defaults. Options of audiopipe precompute and
# of Apache Beam are accepted.
set -euo pipefail

: "${PROJECT:?must be the Google Cloud project that the job runs in}"
: "${REGION:?must be the region that the job runs in, near the data, for example europe-west4}"
: "${IMAGE:?must be the container image built from the Dockerfile, as REGISTRY/audiopipe:TAG}"
: "${TEMP_LOCATION:?must be a folder in Cloud Storage for temporary files of the job, for example gs://BUCKET/temp}"
input=${1:?INPUT, the first argument, is missing}
output=${2:?OUTPUT, the second argument, is missing}
for path in "$TEMP_LOCATION" "$input" "$output"; do
    if [[ $path != gs://* ]]; then
        echo "$0: workers can only read and write paths in Cloud Storage, gs://... Received: $path" >&2
        exit 2
    fi
done

exec python -m audiopipe precompute "$@" \
    --runner=DataflowRunner \
    --project="$PROJECT" \
    --region="$REGION" \
    --temp_location="$TEMP_LOCATION" \
    --sdk_container_image="$IMAGE" \
    --worker_machine_type="${MACHINE_TYPE:-n2-standard-4}" \
    --max_num_workers="${MAX_WORKERS:-16}" \
    --autoscaling_algorithm=THROUGHPUT_BASED
