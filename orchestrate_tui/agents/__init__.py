"""Who does a stage's work: one small contract, and one module per kind of agent."""

from __future__ import annotations

from orchestrate_tui.agents.dispatch import perform

__all__ = ["perform"]
