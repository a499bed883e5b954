"""Where the built files are: REMEMBERME_LIBDIR, else build/ of the source tree that
this package lies in, else beside the package, as `cmake --install` lays them out."""

import os

from .errors import Failure

LIBRARY = "librememberme.so"
UNDUMP = "rememberme-undump"


def _folders():
    named = os.environ.get("REMEMBERME_LIBDIR")
    if named:
        return [named]
    package = os.path.dirname(os.path.abspath(__file__))
    source = os.path.dirname(os.path.dirname(os.path.dirname(package)))
    if os.path.exists(os.path.join(source, "CMakeLists.txt")):
        return [os.path.join(source, "build")]
    return [os.path.dirname(package)]


def find(name):
    """The path of a built file, or a Failure that says how to get it."""
    folders = _folders()
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return path
    if os.environ.get("REMEMBERME_LIBDIR"):
        raise Failure("no-library", "%s is not in %s, the folder that REMEMBERME_LIBDIR names."
                      % (name, folders[0]))
    raise Failure("no-library", "%s is not built: run `./dev build` in the source tree, or set "
                  "REMEMBERME_LIBDIR to the folder that holds it (looked in %s)."
                  % (name, " and ".join(folders)))
