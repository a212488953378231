"""The stage host: a small process of an executor that starts stages and outlives the executor.

Everything here needs only the standard library, and little of it: a host starts with
each command that runs programs, before that has loaded, and without site-packages.
"""
