"""Evaluation: metrics and predictions; calibration; distortions that measure robustness."""

from digitlab.evaluation.metrics import (
    Comparison,
    Evaluation,
    Prediction,
    evaluate,
    evaluate_logits,
    mcnemar,
    percent,
    precision_recall,
    predict,
    predict_logits,
    short_number,
    wilson_interval,
)

__all__ = [
    "Comparison",
    "Evaluation",
    "Prediction",
    "evaluate",
    "evaluate_logits",
    "mcnemar",
    "percent",
    "precision_recall",
    "predict",
    "predict_logits",
    "short_number",
    "wilson_interval",
]
