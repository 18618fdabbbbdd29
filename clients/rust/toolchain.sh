# Puts cargo on PATH, also where HOME is not the one that rustup was installed in. To be sourced.
command -v cargo >/dev/null || export PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
if [ -z "${RUSTUP_HOME:-}" ] && [ ! -d "$HOME/.rustup" ]; then
  beside=$(dirname "$(readlink -f "$(command -v cargo)")")/../../.rustup
  if [ -d "$beside/toolchains" ]; then
    RUSTUP_HOME=$(cd "$beside" && pwd)
    export RUSTUP_HOME
  fi
fi
