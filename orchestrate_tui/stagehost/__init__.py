"""The stage host: one small process per executor that starts stages and outlives the executor.

Everything here needs only the standard library, and little of it: the host starts with each
executor, without site-packages.
"""
