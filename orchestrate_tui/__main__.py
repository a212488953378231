"""`python -m orchestrate_tui`."""

from orchestrate_tui.cli import main

raise SystemExit(main())
