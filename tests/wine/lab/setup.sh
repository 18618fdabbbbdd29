#!/usr/bin/env bash
# From nothing to a stand-in for LMXProxy, registered under Wine, a 32-bit Windows Python with the worker's packages and a
# 64-bit one with the gateway's.
# Root on Debian 12; needs Debian's packages and Python wheels, no more. Can be called again: what is there is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. ./env.sh
. ./keeper.sh
began=$(date +%s%N)
step() { awk -v ns="$(($(date +%s%N) - began))" -v what="$*" 'BEGIN { printf "%6.1f s  %s\n", ns / 1e9, what }'; }

packages="wine wine32:i386 wine64 mingw-w64-tools g++-mingw-w64-i686-posix g++-mingw-w64-x86-64-posix"
missing() { local p; for p in $packages; do dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || return 0; done; return 1; }
if missing; then
    [ "$(id -u)" = 0 ] || { echo "the Wine lab needs the packages $packages; run this once as root" >&2; exit 1; }
    dpkg --add-architecture i386
    log=$(mktemp)
    codename=$(. /etc/os-release; echo "$VERSION_CODENAME")
    for try in 1 2 3; do
        apt-get update -qq >/dev/null 2>&1 || true   # an index out of step must not stop us
        # A multi-arch library has ONE version for both architectures. When the i386 security index lags behind, the newest
        # amd64 version has no i386 twin and apt gives up; the point release (-t CODENAME) has both. The last resort takes
        # amd64 libraries back to it. --no-remove: rather fail than take the machine's own compilers away.
        for options in "" "-t $codename" "-t $codename --allow-downgrades"; do
            # shellcheck disable=SC2086
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends --no-remove $options $packages >/dev/null 2>"$log" && break 2
        done
        cat "$log" >&2
        ((try < 3)) || exit 1
        sleep 20
    done
fi
step "Wine and the cross compiler"

mkdir -p "$MXGATEWAY_WINELAB"
# widl needs oaidl.idl. Take the files out of libwine-dev without installing it: libwine-dev:i386 drags in libc6-dev:i386,
# which throws out the machine's own compilers; libwine-dev:amd64 drags in 670 MB.
if [ ! -e "$MXGATEWAY_WINELAB/sdk/wine/windows/oaidl.idl" ]; then
    tmp=$(mktemp -d)
    (cd "$tmp" && chmod 755 . && apt-get download -qq libwine-dev >/dev/null 2>&1 && dpkg-deb -x libwine-dev_*.deb x)
    rm -rf "$MXGATEWAY_WINELAB/sdk"
    mv "$tmp/x/usr/include/wine" "$MXGATEWAY_WINELAB/sdk"
    rm -rf "$tmp"
fi
step "IDL files"

[ -e "$WPYEXE" ] || python3 mkpython.py "$MXGATEWAY_WINELAB/py32" --platform win32 --download-dir "$MXGATEWAY_WINELAB/wheels"
step "32-bit Windows Python"
[ -e "$WPY64EXE" ] || python3 mkpython.py "$MXGATEWAY_WINELAB/py64" --platform win_amd64 --download-dir "$MXGATEWAY_WINELAB/wheels64"
step "64-bit Windows Python"

[ -e "$LMXSIM_DLL" ] || ../../standin/build.sh "$MXGATEWAY_WINELAB/standin" >"$MXGATEWAY_WINELAB/standin.log" 2>&1 || { cat "$MXGATEWAY_WINELAB/standin.log" >&2; exit 1; }
step "stand-in"

if [ ! -e "$WINEPREFIX/system.reg" ]; then
    wineboot -i </dev/null >/dev/null 2>&1
    wineserver -w
fi
if [ ! -e "$MXGATEWAY_WINELAB/registered" ]; then
    keeper_start
    wine 'C:\windows\syswow64\regsvr32.exe' /s "$(winpath "$LMXSIM_DLL")" </dev/null >/dev/null 2>&1
    # A crash of a worker must be its end, not the beginning of a debugger.
    for view in 32 64; do
        wine reg delete 'HKLM\Software\Microsoft\Windows NT\CurrentVersion\AeDebug' /v Debugger /f "/reg:$view" </dev/null >/dev/null 2>&1 || true
    done
    # Wine waits ten seconds for a service that starts, Windows thirty; Python alone may take those on a busy machine.
    wine reg add 'HKLM\System\CurrentControlSet\Control' /v ServicesPipeTimeout /t REG_DWORD /d 60000 /f </dev/null >/dev/null 2>&1
    wine "$WPYEXE" -m compileall -q "$(winpath "$MXGATEWAY_WINELAB/py32/Lib")" </dev/null >/dev/null 2>&1 || true
    "$WINE64" "$WPY64EXE" -m compileall -q "$(winpath "$MXGATEWAY_WINELAB/py64/Lib")" </dev/null >/dev/null 2>&1 || true
    keeper_stop
    touch "$MXGATEWAY_WINELAB/registered"
fi
step "prefix, stand-in registered"
