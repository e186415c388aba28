"""Records what Keras' callbacks do with sequences of numbers, for package model.

    python record_callbacks.py FOLDER     in the environment "keras"

The callbacks are called as fit calls them, on a model of nothing but a
learning rate.
"""

import json
import os
import sys
import tempfile

import numpy as np

rng = np.random.default_rng(5)


class Optimizer:
    def __init__(self):
        self.learning_rate = np.float32(0.1)

    def __setattr__(self, name, value):
        super().__setattr__(name, np.float32(value))


class Model:
    def __init__(self):
        self.optimizer, self.stop_training, self.weights = Optimizer(), False, None

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights


def sequence(n=14):
    """Numbers that fall, or rise, and now and then do not."""
    walk = np.cumsum(rng.normal(-0.3, 1, n))
    return [round(float(x), 2) for x in walk]


def early_stopping(**options):
    import keras

    values, model = sequence(), Model()
    callback = keras.callbacks.EarlyStopping(monitor="v", restore_best_weights=True, **options)
    callback.set_model(model)
    callback.on_train_begin()
    stop = -1
    for epoch, v in enumerate(values):
        model.weights = epoch
        callback.on_epoch_end(epoch, {"v": v})
        if model.stop_training:
            stop = epoch
            break
    callback.on_train_end()
    return {"options": options, "values": values, "stop": stop, "restored": model.weights}


def plateau(**options):
    import keras

    values, model, rates = sequence(), Model(), []
    callback = keras.callbacks.ReduceLROnPlateau(monitor="v", **options)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, v in enumerate(values):
        callback.on_epoch_end(epoch, {"v": v})
        rates.append(float(str(model.optimizer.learning_rate)))
    return {"options": options, "values": values, "rates": rates}


def csv_file():
    import keras

    path = os.path.join(tempfile.mkdtemp(), "log.csv")
    logs = [{"loss": 0.5, "auc": 0.25, "val_loss": 1 / 3}, {"loss": 0.125, "auc": float("nan"), "val_loss": 2.0}]
    callback = keras.callbacks.CSVLogger(path)
    callback.on_train_begin()
    for epoch, l in enumerate(logs):
        callback.on_epoch_end(epoch, l)
    callback.on_train_end()
    with open(path, newline="") as f:
        return f.read()


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import keras

    stops = [early_stopping(mode=mode, patience=patience, min_delta=delta, baseline=baseline, start_from_epoch=start)
             for mode in ("min", "max") for patience in (0, 2) for delta in (0, 0.5) for baseline in (None, -1.0) for start in (0, 3)]
    rates = [plateau(mode=mode, patience=patience, min_delta=delta, cooldown=cooldown, factor=0.5, min_lr=0.01)
             for mode in ("min", "max") for patience in (1, 3) for delta in (1e-4, 0.5) for cooldown in (0, 2)]
    path = os.path.join(folder, "keras.json")
    with open(path, "w") as f:
        f.write(f'{{"keras":"{keras.__version__}","csv":{json.dumps(csv_file())},\n')
        for name, cases, end in (("early_stopping", stops, ",\n"), ("reduce_lr_on_plateau", rates, "}\n")):
            f.write(f'"{name}":[\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]" + end)
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
