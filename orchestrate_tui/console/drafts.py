"""What was typed into dialogs that were closed, for the next time they are opened."""

from __future__ import annotations

Drafts = dict[str, str]
"""What was typed, by what it was typed for."""
