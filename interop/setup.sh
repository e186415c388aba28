#!/bin/sh
# Sets up the Python environments that record the golden files. The Go tests
# never need them: run this only to record again.
#
# The environments lie outside the tree, in $ROWAN_INTEROP, or by default in
# rowan/interop under the user's cache directory. They take about 10 GB, since
# PyTorch's wheel brings CUDA. Each is keyed by its versions, so that another
# pair of versions gets a fresh environment: changing them in place leaves
# libraries of both.
set -eu

home="${ROWAN_INTEROP:-${XDG_CACHE_HOME:-$HOME/.cache}/rowan/interop}"
python="${PYTHON:-3.11}"

command -v uv >/dev/null 2>&1 || python3 -m pip install --quiet uv
uv="$(command -v uv || echo "python3 -m uv")"

# environment NAME PACKAGE... makes $home/NAME unless a finished one is there.
environment() {
	name="$1"
	shift
	if [ -f "$home/$name/.complete" ] && [ "$(cat "$home/$name/.complete")" = "$*" ]; then
		echo "$home/$name is there"
		return
	fi
	rm -rf "${home:?}/$name"
	mkdir -p "$home"
	$uv venv --quiet --python "$python" "$home/$name"
	$uv pip install --quiet --python "$home/$name/bin/python" "$@"
	echo "$*" >"$home/$name/.complete"
	echo "$home/$name is set up"
}

environment keras tensorflow-cpu==2.21.0 tf-keras==2.21.0 keras==3.15.1
environment keras2 tensorflow-cpu==2.12.0 keras==2.12.0
environment torch torch==2.13.0 fbgemm-gpu-cpu==1.8.0 numpy==2.4.6 keras==3.15.1
# setuptools: TFRA imports pkg_resources, which later ones lack.
environment tfra tensorflow-recommenders-addons==0.8.1 tf-keras==2.16.0 setuptools==80.9.0
