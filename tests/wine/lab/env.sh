# Source me. What every call of Wine shares. MXGATEWAY_WINELAB: where everything lies that is downloaded or built; its
# name has the hash of all that it is made from, so an old lab is never taken for a new one.
winelab_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ -z "${MXGATEWAY_WINELAB:-}" ]; then
    winelab_hash=$(cat "$winelab_here"/*.py "$winelab_here"/*.cpp "$winelab_here"/*.txt "$winelab_here"/setup.sh "$winelab_here"/../../standin/* | sha256sum | cut -c1-16)
    export MXGATEWAY_WINELAB=${XDG_CACHE_HOME:-$HOME/.cache}/mxaccess-winelab/$winelab_hash
fi
export WINEDEBUG=${WINEDEBUG:--all}
export WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d"      # no .NET or HTML installers, no menu entries
export PYTHONUTF8=1                                                   # else prints in cp1252 raise
unset DISPLAY WAYLAND_DISPLAY                                         # message-only windows need no screen
export WPYEXE=$MXGATEWAY_WINELAB/py32/python.exe WPY64EXE=$MXGATEWAY_WINELAB/py64/python.exe
export LMXSIM_DLL=$MXGATEWAY_WINELAB/standin/lmxsim.dll
# A 64-bit Windows, as a node of the plant is: 32-bit workers, the 64-bit gateway, and a registry with two views.
export WINEPREFIX=$MXGATEWAY_WINELAB/prefix WINEARCH=win64
# 64-bit programs by their own loader: plain `wine` starts them through start.exe, which is not their parent and does not die
# with them.
export WINE64=/usr/lib/wine/wine64
winpath() { printf 'Z:%s' "${1//\//\\}"; }                            # a Unix path as Windows programs want it
# stdio of a Windows program: pipes or /dev/null, never a file (Python dies at start, WinError 6).
wpy() { wine "$WPYEXE" "$@" 2>&1 </dev/null | cat; }
