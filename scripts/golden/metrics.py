"""Writes crates/train/tests/golden/metrics.json: what scikit-learn says of some probabilities.

Accuracy, balanced accuracy, precision, recall and F1 of each class and their means, ROC-AUC of each
class against the rest and of all, top-k accuracy, log-loss, confusion. The calibration error is
numpy's, over 15 bins of equal width (scikit-learn has none): Guo et al. 2017, equation 3. Two cases
leave out the pictures of a class: of one that is never said either, and of one that is. What
scikit-learn does not define for them (a precision, a recall, an area) is null.

Logits are 2 sin(1 + i²) + 1.5 where the label is, in steps of 1/4 so that there are equal ones;
probabilities their softmax rounded to 1/256, made to sum to one by the last class.

Run: python3 scripts/golden/metrics.py   (needs scikit-learn, numpy)
"""

import json
import pathlib

import numpy as np
import sklearn
import sklearn.metrics as m


def rows(n, classes):
    labels = np.array([int(classes * (0.618 * i % 1)) for i in range(n)])
    logits = 2 * np.sin(1 + np.arange(n * classes) ** 2).reshape(n, classes)
    logits[np.arange(n), labels] += 1.5
    logits = np.round(4 * logits) / 4
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p = np.clip(np.round(256 * p), 1, None) / 256
    p[:, -1] = 1 - p[:, :-1].sum(1)
    # Left out: rows that rounding pushed below zero, and those with equal probabilities, where
    # scikit-learn's top-k takes the last of equals and ours the first.
    keep = (p[:, -1] > 0) & (np.diff(np.sort(p, 1), axis=1) > 0).all(1)
    return p[keep], labels[keep]


def calibration_error(p, labels):
    sure, right = p.max(1), p.argmax(1) == labels
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (sure >= low) & ((sure < low + 1 / 15) | (low > 0.93))
        if inside.any():
            error += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    return error


def defined(value, is_defined):
    return float(value) if is_defined else None


def case(n, classes, without=None, never_said=False):
    p, y = rows(n, classes)
    if without is not None:
        keep = y != without
        if never_said:
            keep &= p.argmax(1) != without
        p, y = p[keep], y[keep]
    said = p.argmax(1)
    names = list(range(classes))
    # Of each of the classes there could be, but means over those that scikit-learn finds.
    each = m.precision_recall_fscore_support(y, said, labels=names, average=None, zero_division=0)
    mean = m.precision_recall_fscore_support(y, said, average="macro", zero_division=0)
    counts = np.bincount(y, minlength=classes)
    answers = np.bincount(said, minlength=classes)
    return {
        "classes": classes,
        "labels": y.tolist(),
        "probabilities_256": np.round(256 * p).astype(int).tolist(),
        "accuracy": m.accuracy_score(y, said),
        "balanced_accuracy": m.balanced_accuracy_score(y, said),
        "top_5": m.top_k_accuracy_score(y, p, k=5, labels=names) if classes > 5 else None,
        "top_2": m.top_k_accuracy_score(y, p, k=2, labels=names) if classes > 2 else None,
        "precision": [defined(x, answers[c]) for c, x in enumerate(each[0])],
        "recall": [defined(x, counts[c]) for c, x in enumerate(each[1])],
        "f1": each[2].tolist(),
        "macro": list(mean[:3]),
        "auc_each": [m.roc_auc_score(y == c, p[:, c]) if counts[c] else None for c in names],
        "auc": None
        if not counts.all()
        else m.roc_auc_score(y, p[:, 1])
        if classes == 2
        else m.roc_auc_score(y, p, multi_class="ovr", average="macro"),
        "log_loss": m.log_loss(y, p, labels=names),
        "calibration_error": calibration_error(p, y),
        "confusion": m.confusion_matrix(y, said, labels=names).tolist(),
    }


golden = {
    "made_by": f"scripts/golden/metrics.py with scikit-learn {sklearn.__version__} "
    f"and numpy {np.__version__}",
    "cases": [
        case(60, 2),
        case(60, 3),
        case(240, 7),
        case(60, 3, without=2, never_said=True),
        case(60, 4, without=1),
    ],
}
path = pathlib.Path(__file__).parents[2] / "crates/train/tests/golden/metrics.json"
path.write_text(json.dumps(golden) + "\n")
print(path.name, path.stat().st_size, "bytes", [len(c["labels"]) for c in golden["cases"]])
