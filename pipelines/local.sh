#!/usr/bin/env bash
# Precompute on all cores of this machine, a process a core:
#   pipelines/local.sh INPUT OUTPUT --config NAME [options of audiopipe precompute]
# WORKERS is the number of processes.
set -euo pipefail

# What is meant for other libraries does not count: nproc would answer OMP_NUM_THREADS.
processors=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)
exec python -m audiopipe precompute "$@" --workers "${WORKERS:-$processors}"
