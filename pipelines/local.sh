#!/usr/bin/env bash
# Runs precompute on this machine, with one process per core:
#   pipelines/local.sh INPUT OUTPUT --config NAME [options of audiopipe precompute]
# WORKERS sets another number of processes.
set -euo pipefail

# nproc would otherwise print OMP_NUM_THREADS, which is meant for other libraries.
processors=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
exec python -m audiopipe precompute "$@" --workers "${WORKERS:-$processors}"
