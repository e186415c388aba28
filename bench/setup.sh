#!/usr/bin/env bash
# Builds what the measurement needs beside Rowan itself: one Python environment
# for PyTorch with FBGEMM, one for TensorFlow Recommenders Addons (TFRA).
#
# The environments lie outside the tree, in $ROWAN_BENCH_HOME (default
# ~/.cache/rowan-bench), take 8 GB of disk and a few minutes of download.
# Running it again is free. Versions are exact because pairs drift apart:
# FBGEMM 1.9 with PyTorch 2.14 imports and then runs a scalar fallback, 10 times
# slower than itself.
set -euo pipefail

home="${ROWAN_BENCH_HOME:-${XDG_CACHE_HOME:-$HOME/.cache}/rowan-bench}"
python="${ROWAN_BENCH_PYTHON:-3.11}"
mkdir -p "$home"

if ! command -v uv >/dev/null && [ ! -x "$home/uv/bin/uv" ]; then
  echo "bench: installing uv into $home/uv"
  python3 -m venv "$home/uv"
  "$home/uv/bin/pip" install --quiet uv
fi
uv="$(command -v uv || echo "$home/uv/bin/uv")"

# environment NAME PACKAGE… makes a fresh environment unless a complete one of
# the same packages is there: changing versions in place leaves mixed libraries.
environment() {
  local name="$1"
  shift
  if [ "$(cat "$home/$name/complete" 2>/dev/null)" = "$*" ]; then
    echo "bench: $name is ready: $*"
    return
  fi
  echo "bench: building $name: $*"
  rm -rf "${home:?}/$name"
  "$uv" venv --quiet --python "$python" "$home/$name"
  "$uv" pip install --quiet --python "$home/$name/bin/python" "$@"
  echo "$*" >"$home/$name/complete"
}

environment torch torch==2.13.0 fbgemm-gpu-cpu==1.8.0 numpy==2.4.0
# setuptools: TFRA imports pkg_resources, which later ones lack.
environment tfra tensorflow-recommenders-addons==0.8.1 tf-keras==2.16.0 setuptools==80.9.0
