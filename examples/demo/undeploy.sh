#!/bin/sh
# Undoes deploy.sh: puts back the release that was live before, and proves over HTTP that it
# answers. Without one there is nothing to serve, and the web server ends too. Safe to repeat.
set -eu
. "$(dirname -- "$0")/releases.sh"

release=$OUT_BUILD_RELEASE
live=$(live_release)
if [ "$live" = "$release" ]; then
    live=$(cat "releases/$release/PREVIOUS")
    if [ -n "$live" ]; then make_live "$live"; else rm -f current; fi
else
    echo "release $release is not live; nothing to switch back"
fi

if [ -n "$live" ]; then
    python3 "$here/service.py" start
    python3 "$here/service.py" check "$live"
else
    python3 "$here/service.py" stop
    echo "no release was live before $release, and none is now"
fi
