#!/usr/bin/env bash
# Measures Rowan beside the others and prints the tables of docs/performance.md.
#
#   bench/run.sh                                all of it, about half an hour
#   bench/run.sh -scale 0.02 -rounds 1 -seconds 0.3 -batches 8    a quick try
#   bench/run.sh -work train -contenders bound,rowan -threads 1
#
# bench/setup.sh builds the others once. Leave the machine alone meanwhile:
# whatever else runs is measured too.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p bench/bin
"${CC:-cc}" -O3 -march=native -fno-math-errno -Wall -Wextra -Wno-psabi -pthread -o bench/bin/bound bench/bound/bound.c -lm
CGO_ENABLED=0 go build -o bench/bin/rowan ./bench/rowan
CGO_ENABLED=0 go build -o bench/bin/driver ./bench/driver
home="${ROWAN_BENCH_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/rowan-bench}"
[ -e "$home/torch/complete" ] && [ -e "$home/tfra/complete" ] ||
  echo "bench: the others are not there and will be left out: run bench/setup.sh first" >&2
exec bench/bin/driver "$@"
