#!/usr/bin/env bash
# Everything that has to hold for the Java client. What Maven fetches is tried three times.
set -euo pipefail
cd "$(dirname "$0")"

python3 ../../tools/generate_java.py --check
maven=(mvn -B -q --no-transfer-progress)
for try in 1 2 3; do
  "${maven[@]}" -DskipTests package && break
  echo "the build failed (try $try of 3)" >&2
  ((try < 3)) || exit 1
  sleep 5
done
"${maven[@]}" verify spotless:check
javadoc -quiet -Xdoclint:all -Werror -d client/target/apidocs -cp 'cli/target/lib/*' \
  --release 17 $(find client/src/main/java -name '*.java')
