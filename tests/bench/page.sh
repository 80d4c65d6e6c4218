#!/bin/sh
# Proves that BENCHMARKS.md and its charts are what bench/run makes of bench/results.json: in a copy the
# page is made anew, and must not change; every number that a note asks for is there, and every line that
# is missed has its reason.
# usage: page.sh ROOT
root=$1
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
node "$root/tests/bench/reasons.mjs" "$root" || exit 1
form=$(node "$root/tests/bench/reasons.mjs" "$root" --form) || exit 1
[ "$form" = current ] || { echo "the results are of an older form: the page is compared after the next run"; exit 0; }

mkdir -p "$folder/bench"
for name in harness charts reasons.json results.json; do cp -R "$root/bench/$name" "$folder/bench/"; done
cp "$root/BENCHMARKS.md" "$folder/"
if ! said=$(node "$folder/bench/harness/main.mjs" --page 2>&1) || [ -n "$said" ]; then
    printf 'the page can not be made: %s\n' "$said"
    exit 1
fi
if ! diff "$root/BENCHMARKS.md" "$folder/BENCHMARKS.md" ||
    ! diff -r "$root/bench/charts" "$folder/bench/charts" >/dev/null; then
    echo "BENCHMARKS.md or a chart is not what bench/run makes of bench/results.json: bench/run --page"
    exit 1
fi
