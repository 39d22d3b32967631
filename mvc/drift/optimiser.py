"""Whether an optimiser's state started anew. Owns what its counters and moments say; reads nothing.

Names are torch.optim's: ``step`` counts updates; ``exp_avg``, ``exp_avg_sq`` and ``momentum_buffer`` are moments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mvc.drift.findings import RuleFinding

OPTIMISER_RESET = "MVC012"
COUNTER = "step"
MOMENTS = frozenset({"exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "square_avg", "sum"})


def counters_reset(past: Sequence[Mapping[str, float]], now: Mapping[str, float]) -> RuleFinding | None:
    """A finding where most counters went back that had gone on; each mapping: name → count, of one checkpoint."""
    if not past:
        return None
    last = past[-1]
    both = [name for name in now if name in last]
    back = [name for name in both if now[name] < last[name]]
    # where they went back all the time the order of the checkpoints is what is wrong
    went_on = [name for name in back if len(past) < 2 or past[-2].get(name, 0.0) <= last[name]]
    if not both or 2 * len(went_on) <= len(both):
        return None
    name = max(went_on, key=lambda name: (last[name], name))
    message = f"the optimiser's step counter is {now[name]:,.0f} and was {last[name]:,.0f} in the checkpoint before"
    return RuleFinding(OPTIMISER_RESET, message, now[name], last[name])


def moments_reset(before: Mapping[str, bool], now: Mapping[str, bool]) -> RuleFinding | None:
    """A finding where all moments are zero that were not; each mapping: name → whether any value is another than 0."""
    both = [name for name in now if name in before]
    if not any(before[name] for name in both) or any(now[name] for name in both):
        return None
    message = f"all {len(both):,} moments of the optimiser are zero and were not in the checkpoint before"
    return RuleFinding(OPTIMISER_RESET, message, 0.0, 0.0)
