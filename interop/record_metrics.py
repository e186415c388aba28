"""Records what Keras' metrics say of some batches, for package metric.

    python record_metrics.py FOLDER     in the environment "keras"

Keras' AUC counts at thresholds. The scores lie between them, so that no two of
different value fall between the same two: there it equals the exact one.
"""

import json
import os
import sys

import numpy as np

rng = np.random.default_rng(11)


def plain(a):
    return [float(str(np.float32(x))) for x in np.asarray(a).reshape(-1)]


def case(metric, batches, width=1):
    for pred, label, weight in batches:
        metric.update_state(label, pred, sample_weight=weight)
    config = {k: v for k, v in metric.get_config().items() if k != "dtype"}
    result = np.asarray(metric.result())
    scores = {"scores": [float(x) for x in result]} if result.ndim else {}
    if "thresholds" in config and not isinstance(config["thresholds"], (int, float, list, type(None))):
        config["thresholds"] = list(config["thresholds"])
    return {"class_name": type(metric).__name__, "config": config, "width": width,
            "batches": [{"pred": plain(p), "label": plain(y), "weight": None if w is None else plain(w)} for p, y, w in batches],
            "result": float(result.mean()), **scores}


def batches(pred, label, weighted, sizes=(7, 4)):
    """Batches of some sizes; weights of which some are 0."""
    for n in sizes:
        p, y = pred(n), label(n)
        yield p, y, (rng.integers(0, 4, n) / 2).astype(np.float32) if weighted else None


def real(width):
    return lambda n: rng.normal(0, 1, (n, width)).round(3).astype(np.float32)


def positive(width):
    return lambda n: (np.abs(rng.normal(0, 1, (n, width))) + 0.1).round(3).astype(np.float32)


def probability(width):
    return lambda n: rng.uniform(0.02, 0.98, (n, width)).round(3).astype(np.float32)


def between_thresholds(n):
    return ((rng.integers(0, 30, (n, 1)) * 6 + 0.5) / 199).astype(np.float32)


def binary(width):
    return lambda n: rng.integers(0, 2, (n, width)).astype(np.float32)


def simplex(width):
    def make(n):
        p = rng.uniform(0.1, 1, (n, width))
        return (p / p.sum(-1, keepdims=True)).round(4).astype(np.float32)
    return make


def one_hot(width):
    return lambda n: np.eye(width, dtype=np.float32)[rng.integers(0, width, n)]


def number(width):
    return lambda n: rng.integers(0, width, (n, 1)).astype(np.float32)


def cases():
    from keras import metrics as k

    logits = lambda n: 3 * real(1)(n)
    for weighted in (False, True):
        def c(make, pred, label, width=1):
            return case(make(), list(batches(pred, label, weighted)), width)

        yield c(k.MeanSquaredError, real(1), real(1))
        yield c(k.MeanSquaredError, real(3), real(3), 3)
        yield c(k.RootMeanSquaredError, real(1), real(1))
        yield c(k.MeanAbsoluteError, real(2), real(2), 2)
        yield c(k.MeanAbsolutePercentageError, real(1), real(1))
        yield c(k.MeanSquaredLogarithmicError, positive(1), positive(1))
        yield c(k.LogCoshError, real(1), real(1))
        yield c(k.Poisson, positive(1), positive(1))
        yield c(k.CosineSimilarity, real(3), real(3), 3)
        yield c(k.KLDivergence, simplex(3), simplex(3), 3)
        yield c(k.R2Score, real(1), real(1))
        yield c(k.R2Score, real(2), real(2), 2)
        yield c(k.Hinge, real(1), binary(1))
        yield c(k.SquaredHinge, real(1), lambda n: 2 * binary(1)(n) - 1)
        yield c(k.CategoricalHinge, real(3), one_hot(3), 3)
        yield c(k.AUC, between_thresholds, binary(1))
        yield c(lambda: k.AUC(curve="PR", name="auc_pr"), between_thresholds, binary(1))
        yield c(k.Precision, probability(1), binary(1))
        yield c(lambda: k.Precision(thresholds=0.3), probability(1), binary(1))
        yield c(lambda: k.Precision(thresholds=0.99), probability(1), binary(1))
        yield c(k.Recall, probability(1), binary(1))
        yield c(lambda: k.Recall(thresholds=[0.7]), probability(1), binary(1))
        yield c(k.BinaryAccuracy, probability(1), binary(1))
        yield c(lambda: k.BinaryAccuracy(threshold=0.3), probability(1), binary(1))
        yield c(k.CategoricalAccuracy, probability(4), one_hot(4), 4)
        yield c(k.SparseCategoricalAccuracy, probability(4), number(4), 4)
        yield c(lambda: k.TopKCategoricalAccuracy(k=2), probability(4), one_hot(4), 4)
        yield c(lambda: k.SparseTopKCategoricalAccuracy(k=2), lambda n: probability(4)(n).round(1), number(4), 4)
        yield c(k.TopKCategoricalAccuracy, probability(8), one_hot(8), 8)
        yield c(k.BinaryCrossentropy, probability(1), binary(1))
        yield c(lambda: k.BinaryCrossentropy(from_logits=True, label_smoothing=0.2), logits, binary(1))
        yield c(k.CategoricalCrossentropy, probability(3), one_hot(3), 3)
        yield c(lambda: k.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3), real(3), one_hot(3), 3)
        yield c(k.SparseCategoricalCrossentropy, simplex(3), number(3), 3)
    for make in (k.Mean, k.Sum):
        metric, all_ = make(), list(batches(real(1), real(1), True))
        for pred, _, weight in all_:
            metric.update_state(pred[:, 0], sample_weight=weight)
        config = {key: v for key, v in metric.get_config().items() if key != "dtype"}
        yield {"class_name": make.__name__, "config": config, "width": 1,
               "batches": [{"pred": plain(p), "label": plain(y), "weight": plain(w)} for p, y, w in all_], "result": float(metric.result())}


def on_thresholds(count):
    """On, between and beyond so many thresholds."""
    return lambda n: (rng.integers(-1, 2 * count, (n, 1)) / (2 * (count - 1))).astype(np.float32)


def some(width):
    """Of each class yes or no; of few examples one label is 1."""
    return lambda n: (rng.uniform(0, 1, (n, width)) < 0.4).astype(np.float32)


def with_ties(width):
    """Scores of which some are equal, and some examples have none above 0."""
    return lambda n: (rng.integers(0, 4, (n, width)) / 4 * rng.integers(0, 4, (n, 1)).clip(0, 1)).astype(np.float32)


def more_cases():
    """Three batches each."""
    from keras import metrics as k

    at = ((k.PrecisionAtRecall, "recall"), (k.RecallAtPrecision, "precision"),
          (k.SensitivityAtSpecificity, "specificity"), (k.SpecificityAtSensitivity, "sensitivity"))
    for weighted in (False, True):
        def c(make, pred, label, width=1):
            return case(make(), list(batches(pred, label, weighted, (6, 5, 3))), width)

        for count in (k.TruePositives, k.FalsePositives, k.TrueNegatives, k.FalseNegatives):
            yield c(count, probability(1), binary(1))
            yield c(lambda: count(thresholds=0.3), probability(1), binary(1))
            yield c(lambda: count(thresholds=[0.7]), probability(2), binary(2), 2)
        for make, what in at:
            for value in (0.3, 0.75, 1.0):
                yield c(lambda: make(**{what: value}), probability(1), binary(1))
            yield c(lambda: make(**{what: 0.5}), on_thresholds(200), binary(1))
            for n in (1, 2, 3, 11):
                yield c(lambda: make(**{what: 0.5}, num_thresholds=n), on_thresholds(max(n, 2)), binary(1))
        yield c(lambda: k.RecallAtPrecision(precision=1.0), lambda n: 1 - probability(1)(n) / 9, lambda n: 0 * binary(1)(n))
        for average in (None, "micro", "macro", "weighted"):
            yield c(lambda: k.F1Score(average=average), probability(3), one_hot(3), 3)
            yield c(lambda: k.F1Score(average=average), with_ties(3), some(3), 3)
            yield c(lambda: k.F1Score(average=average, threshold=0.5), probability(3), some(3), 3)
            yield c(lambda: k.FBetaScore(average=average, beta=2.0, threshold=0.25), probability(3), some(3), 3)
            yield c(lambda: k.FBetaScore(average=average, beta=0.5), with_ties(4), probability(4), 4)
        for make in (k.Precision, k.Recall):
            yield c(lambda: make(top_k=2), with_ties(5), some(5), 5)
            yield c(lambda: make(top_k=1), real(4), some(4), 4)
            yield c(lambda: make(top_k=3, thresholds=0.5), probability(4), some(4), 4)
        yield c(lambda: k.F1Score(threshold=0.5), probability(1), binary(1))
        yield c(lambda: k.F1Score(threshold=0.5, average="weighted"), probability(4), lambda n: one_hot(2)(n)[:, [0, 0, 1, 0]], 4)
        yield c(k.FBetaScore, lambda n: 0 * probability(2)(n), binary(2), 2)
        yield c(k.Accuracy, number(3), number(3))
        yield c(k.Accuracy, number(2), lambda n: np.round(probability(1)(n)))
        yield c(k.PearsonCorrelation, real(4), real(4), 4)
        yield c(k.ConcordanceCorrelation, real(4), real(4), 4)
        yield c(k.ConcordanceCorrelation, positive(2), lambda n: np.ones((n, 2), np.float32), 2)


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import keras

    path = os.path.join(folder, "keras.json")
    with open(path, "w") as f:
        lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in (*cases(), *more_cases()))
        f.write(f'{{"keras":"{keras.__version__}","cases":[\n{lines}\n]}}\n')
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
