"""Runs pipelines and rollbacks: decides, commits, then acts, and publishes what is committed."""
