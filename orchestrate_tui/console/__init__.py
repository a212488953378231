"""The operator console: a Textual app over the history and the executor's control."""
