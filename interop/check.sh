#!/bin/sh
# Lets the real systems read what Rowan has written, after setup.sh. Each line
# that it prints is something that was loaded and compared; it stops at the
# first difference.
set -eu

here="$(cd "$(dirname "$0")" && pwd)"
home="${ROWAN_INTEROP:-${XDG_CACHE_HOME:-$HOME/.cache}/rowan/interop}"
export TF_CPP_MIN_LOG_LEVEL=3

"$here/setup.sh" >&2
configs="$here/../model/testdata/configs"
"$home/keras/bin/python" "$here/configs.py" keras3 check "$configs"
"$home/keras/bin/python" "$here/configs.py" tf_keras check "$configs"
"$home/keras2/bin/python" "$here/configs.py" keras2 check "$configs"
"$home/keras/bin/python" "$here/optimizers.py" "$here/../optim/testdata/configs"
