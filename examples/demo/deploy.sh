#!/bin/sh
# Makes the release that this run has built the live one, and notes in it which was live before.
set -eu
. "$(dirname -- "$0")/releases.sh"

release=$OUT_BUILD_RELEASE
noted=releases/$release/PREVIOUS
if [ ! -e "$noted" ]; then # a second attempt must not take this release for the previous one
    live_release >"$noted.new"
    mv -- "$noted.new" "$noted"
fi
make_live "$release"

previous=$(cat "$noted")
echo "previous=$previous" >>"$ORCHESTRATE_OUTPUT"
echo "release $release is live; before it: ${previous:-none}"
