"""The screens of the console, each with the .tcss that arranges it."""
