#!/bin/sh
# Builds a release of $version in a folder of its own. A broken build is one that was cut short:
# its settings cannot be read, and so its health check fails.
set -eu
. "$(dirname -- "$0")/releases.sh"

case $version in
'' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*)
    echo "version '$version' cannot name a folder: use letters, digits, '.', '_' and '-'" >&2
    exit 1
    ;;
*broken*) broken=true ;;
esac

# A release is never changed once it is built: another build of the version is another release.
release=$version
number=1
while [ -e "releases/$release" ]; do
    number=$((number + 1))
    release=$version.$number
done
mkdir "releases/$release"

printf '<!doctype html>\n<title>Demo</title>\n<h1>Release %s</h1>\n' "$release" \
    >"releases/$release/page.html"
if [ "${broken:-false}" = true ]; then
    printf '{"release": "%s", "wel' "$release" >"releases/$release/settings.json"
else
    printf '{"release": "%s", "well": true}\n' "$release" >"releases/$release/settings.json"
fi

echo "release=$release" >>"$ORCHESTRATE_OUTPUT"
echo "built release $release in $root/releases/$release"
