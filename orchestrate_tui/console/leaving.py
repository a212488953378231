"""How the console is left while something runs."""

LEAVE = "leave"
"""What runs goes on in this process, without the console."""

CANCEL = "cancel"
"""What runs is cancelled."""
