#!/bin/sh
# Records all golden files anew: about nine minutes, after setup.sh.
set -eu

here="$(cd "$(dirname "$0")" && pwd)"
home="${ROWAN_INTEROP:-${XDG_CACHE_HOME:-$HOME/.cache}/rowan/interop}"
export TF_CPP_MIN_LOG_LEVEL=3

"$here/setup.sh"
for library in keras torch; do
	"$home/$library/bin/python" "$here/record_optimizers.py" "$library" "$here/../optim/testdata"
done
"$home/keras/bin/python" "$here/record_optim64.py" "$here/../optim/testdata/float64"
KERAS_BACKEND=torch "$home/torch/bin/python" "$here/record_optim64.py" "$here/../optim/testdata/float64"
"$home/keras/bin/python" "$here/record_initializers.py" "$here/../initializer/testdata"
"$home/keras/bin/python" "$here/record_lookups.py" tf "$here/../testdata/lookups-tensorflow.json"
"$home/torch/bin/python" "$here/record_lookups.py" torch "$here/../testdata/lookups-torch.json"
"$home/keras/bin/python" "$here/record_layers.py" "$here/.."
"$home/keras/bin/python" "$here/record_masks.py" "$here/../layer/testdata"
"$home/keras/bin/python" "$here/record_ids.py" "$here/../layer/testdata"
"$home/keras/bin/python" "$here/configs.py" keras3 record "$here/../model/testdata/configs"
"$home/keras/bin/python" "$here/configs.py" tf_keras record "$here/../model/testdata/configs"
"$home/keras2/bin/python" "$here/configs.py" keras2 record "$here/../model/testdata/configs"
"$home/keras/bin/python" "$here/record_metrics.py" "$here/../metric/testdata"
"$home/keras/bin/python" "$here/record_callbacks.py" "$here/../model/testdata"
KERAS_BACKEND=torch "$home/torch/bin/python" "$here/record_models.py" "$here/../model/testdata/keras-training.json"
"$home/keras/bin/python" "$here/record_constraints.py" "$here/../constraint/testdata"
"$home/keras/bin/python" "$here/record_embeddings.py" "$here/../model/testdata"
"$home/tfra/bin/python" "$here/record_tfra.py" "$here/.."
"$home/tfra/bin/python" "$here/record_tfra_dtypes.py" "$here/.."
