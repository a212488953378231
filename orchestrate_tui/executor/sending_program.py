"""The program that hands one message to one channel: the only part that knows Apprise.

It is started for each delivery, reads what is to be sent from standard input as JSON, so that no
list of processes shows an address, and writes why it could not be sent to standard output.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apprise import Apprise


def main() -> None:
    """Send what standard input holds, and write what went wrong, "" for nothing."""
    order = json.load(sys.stdin)
    json.dump(_send(**order), sys.stdout)


def _send(address: str, title: str, body: str, kind: str) -> str:
    from apprise import LogCapture, NotifyFormat, NotifyType, logging  # noqa: PLC0415  (slow)

    with LogCapture(level=logging.WARNING, fmt="%(message)s") as captured:  # type: ignore[no-untyped-call]
        channel = _channel(address)
        if channel is None:
            return "it holds no address that Apprise understands"
        is_sent = channel.notify(
            title=title, body=body, notify_type=NotifyType(kind), body_format=NotifyFormat.TEXT
        )
        return "" if is_sent else captured.getvalue().strip() or "it was not taken"


def _channel(address: str) -> Apprise | None:
    """What the address stands for; what is too long for it is cut, not refused."""
    from apprise import Apprise, AppriseAsset, OverflowMode  # noqa: PLC0415  (slow)

    asset = AppriseAsset(app_id="Orchestrate", app_desc="Orchestrate TUI", image_url_mask=None)
    channel = Apprise(asset=asset)
    if not channel.add(address):
        return None
    for service in channel:
        service.overflow_mode = OverflowMode.TRUNCATE
    return channel
