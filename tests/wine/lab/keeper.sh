# Source after env.sh: keeper_start, keeper_stop.
# Wine starts its service processes from the first program that runs, and explorer.exe from the first that makes a window;
# they inherit that program's stdin, stdout and stderr, and a parent waiting for the end of those pipes waits for them too.
# So the first program must be one whose stdio is /dev/null; it must have a window, and live as long as the tests.
keeper_start() {
    wineserver -p 2>/dev/null || true
    setsid wine "$WPYEXE" "$(dirname "${BASH_SOURCE[0]}")/keeper.py" </dev/null >/dev/null 2>&1 &
    KEEPER=$!
    # Comes back when the prefix is up: services, rpcss, desktop, and the keeper's window on it.
    wine "$WPYEXE" "$(dirname "${BASH_SOURCE[0]}")/keeper.py" wait </dev/null >/dev/null 2>&1 || {
        echo "the Wine prefix did not come up: $WINEPREFIX" >&2
        exit 1
    }
}
keeper_stop() {                                       # ends what runs in this prefix, and only there
    wineserver -k 2>/dev/null || true
    wineserver -w 2>/dev/null || true
    wait "$KEEPER" 2>/dev/null || true
}
