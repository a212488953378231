#!/bin/sh
# Ends the web server below $root, if it runs; the releases stay where they are.
set -eu
. "$(dirname -- "$0")/releases.sh"
exec python3 "$here/service.py" stop
