"""`retry:` how often a stage or an undo is tried."""

from __future__ import annotations

from orchestrate_tui.domain.pipeline import Retry
from orchestrate_tui.spec.readers import Duration, Number, Whole
from orchestrate_tui.spec.records import Field, Record, Values

_LONGEST_DELAY_S = 7 * 86400.0


def _retry(values: Values) -> Retry:
    retry = Retry(attempts=values["attempts"], delay_s=values["delay"], backoff=values["backoff"])
    if retry.delay_before(retry.attempts) > _LONGEST_DELAY_S:
        message = f"the delay before attempt {retry.attempts} would be more than 7 days"
        values.error((), message, "lower attempts, delay or backoff")
    return retry


RETRY = Record(
    title="'retry'",
    definition="retry",
    build=_retry,
    fields=(
        Field(
            key="attempts",
            reader=Whole(least=1, most=100),
            description="How often the work is tried, the first time included.",
            default=1,
        ),
        Field(
            key="delay",
            reader=Duration(),
            description="How long to wait before the second attempt.",
            default=0.0,
        ),
        Field(
            key="backoff",
            reader=Number(least=1, most=10),
            description="By how much each delay is longer than the one before.",
            default=1.0,
        ),
    ),
)
