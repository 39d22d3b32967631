"""What else is known of a training: the run that W&B or MLflow log it as, and what its metrics are as numbers.

Owns where these are looked for: modules that somebody imported already, and the variables that both tools set for their
children. Imports neither, and lets no defect of theirs through.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from typing import Any


def tracked_runs() -> dict[str, str]:
    """Facts "wandb" and "mlflow": ids of the runs that are active, as far as there are any."""
    found = {"wandb": _wandb() or os.environ.get("WANDB_RUN_ID", ""), "mlflow": _mlflow()}
    found["mlflow"] = found["mlflow"] or os.environ.get("MLFLOW_RUN_ID", "")
    return {key: value for key, value in found.items() if value}


def numbers(metrics: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Metrics as numbers (Python's, NumPy's or tensors of one value), and apart those that are not finite, in words:
    a commit's metrics are finite, and a loss that became nan is worth knowing. What is no number is left out."""
    finite, odd = {}, {}
    for key, value in metrics.items():
        if isinstance(value, str | bytes):
            continue
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
        if math.isfinite(number):
            finite[str(key)] = number
        else:
            odd[str(key)] = str(number)
    return finite, odd


def _wandb() -> str:
    try:
        return str(sys.modules["wandb"].run.id)
    except Exception:  # not imported, no run, or another wandb than we know
        return ""


def _mlflow() -> str:
    try:
        return str(sys.modules["mlflow"].active_run().info.run_id)
    except Exception:
        return ""
