#!/bin/sh
# Gathers everything that a machine without a network needs to install the gateway: offline.sh FOLDER [EXTRAS]
# On that machine, with the same Python version and system:
#   python3 -m venv gateway && gateway/bin/pip install --no-index --find-links FOLDER "mxaccess-gateway[server]"
set -eu
folder=${1:?a folder for the wheels}
extras=${2:-server,fast}
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
mkdir -p "$folder"
"$python" -m pip wheel --quiet --wheel-dir "$folder" --constraint "$here/constraints.txt" "$here[$extras]"
(cd "$folder" && sha256sum -- *.whl > SHA256SUMS)
echo "$folder: $(ls "$folder" | grep -c whl) wheels; check them there with: sha256sum -c SHA256SUMS"
