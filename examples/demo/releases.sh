# Read by the scripts beside it: enters the folder that everything is written under.
# $here is the folder of the scripts.

unset CDPATH
here=$(cd -- "$(dirname -- "$0")" && pwd)
root=${root:-${TMPDIR:-/tmp}/orchestrate-tui-demo-$(id -u)}
mkdir -p -m 700 -- "$root"
if [ -L "$root" ] || [ ! -O "$root" ]; then
    echo "$root is somebody else's; choose another folder with --var root=FOLDER" >&2
    exit 1
fi
cd -- "$root"
root=$(pwd)
mkdir -p releases

# The name of the live release, "" when there is none.
live_release() {
    if [ -L current ]; then basename -- "$(readlink current)"; fi
}

# Make release $1 the live one. A rename is seen as a whole or not at all, so that no request
# meets a moment without a release.
make_live() {
    ln -s -f -n -- "releases/$1" "current.$$"
    mv -f -T -- "current.$$" current
}
