#!/bin/sh
# Starts the web server below $root, unless it runs already.
set -eu
. "$(dirname -- "$0")/releases.sh"
exec python3 "$here/service.py" start
