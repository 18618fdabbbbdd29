# Puts cargo on PATH, also where HOME is not the one that rustup was installed in. To be sourced.
command -v cargo >/dev/null || export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
# The folder alone says nothing: rustup makes it in whatever HOME it is called with.
if [ -z "${RUSTUP_HOME:-}" ] && ! ls -d "$HOME"/.rustup/toolchains/*/ >/dev/null 2>&1; then
  beside=$(dirname "$(readlink -f "$(command -v cargo)")")/../../.rustup
  if [ -d "$beside/toolchains" ]; then
    RUSTUP_HOME=$(cd "$beside" && pwd)
    export RUSTUP_HOME
  fi
fi
