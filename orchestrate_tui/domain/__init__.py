"""Pure values and rules of pipelines, runs and rollbacks; imports only the standard library."""
