#!/usr/bin/env bash
# Everything that has to hold for the Go client. Modules come from the proxy, with three tries.
set -euo pipefail
cd "$(dirname "$0")"

for try in 1 2 3; do
  go mod download && (cd tools && go mod download) && break
  echo "the modules could not be fetched (try $try of 3)" >&2
  ((try < 3)) || exit 1
  sleep 5
done
unformatted=$(gofmt -l .)
[ -z "$unformatted" ] || { echo "not as gofmt writes it: $unformatted" >&2; exit 1; }
../../.venv-protos/bin/python ../../tools/generate_go.py --check
go vet ./...
(cd tools && go build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck)
bin/staticcheck ./...
go test -race ./...
