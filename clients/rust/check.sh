#!/usr/bin/env bash
# Everything that has to hold for the Rust client. Crates come from the index, with three tries.
set -euo pipefail
cd "$(dirname "$0")"
. ./toolchain.sh

for try in 1 2 3; do
  cargo fetch --locked --quiet && break
  echo "the crates could not be fetched (try $try of 3)" >&2
  ((try < 3)) || exit 1
  sleep 5
done
cargo fmt --all --check
../../.venv-protos/bin/python ../../tools/generate_rust.py --check
# Both of these take the dependencies as they are checked, the tests as they are built.
cargo clippy --locked --quiet --target-dir target --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --target-dir target --no-deps
cargo test --locked --quiet --target-dir target
