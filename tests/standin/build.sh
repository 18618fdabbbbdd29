#!/bin/sh
# Builds lmxsim.dll, type library inside, into the folder $1. MXGATEWAY_WINELAB holds the IDL files (tests/wine/lab/setup.sh).
set -eu
cd "$(dirname "$0")"
out=${1:?folder for the DLL}
new=$out.new
rm -rf "$new" && mkdir -p "$new"
sdk=$MXGATEWAY_WINELAB/sdk/wine/windows
tlbdir=$(dirname "$(find /usr/lib -path '*i386-windows/stdole2.tlb' | head -n 1)")
widl="i686-w64-mingw32-widl -m32 -I $sdk -L $tlbdir"
$widl -t -o "$new/lmxsim.tlb" lmxsim.idl
$widl -h -o "$new/lmxsim.h" lmxsim.idl
$widl -u -o "$new/lmxsim_i.c" lmxsim.idl
i686-w64-mingw32-windres -I "$new" lmxsim.rc "$new/lmxsim.res.o"
i686-w64-mingw32-g++ -std=c++17 -O2 -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -shared -static -s -I "$new" \
    -o "$new/lmxsim.dll" lmxsim.cpp "$new/lmxsim.res.o" lmxsim.def -Wl,--kill-at -lole32 -loleaut32 -luuid -ladvapi32 -luser32
rm -rf "$out" && mv "$new" "$out"
