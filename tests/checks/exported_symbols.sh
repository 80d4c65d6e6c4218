#!/bin/sh
# Compares what the archive exports with what the public headers promise.
# usage: exported_symbols.sh ARCHIVE HEADER-FOLDER
archive=$1 headers=$2
here=$(dirname "$0")
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
status=0

awk -f "$here/declarations.awk" "$headers"/*.h | awk '$4 == "library" { print $1 }' | sort -u >"$folder/declared"
# What compilers add for sanitizers and coverage is none of ours.
nm --defined-only --extern-only --format=posix "$archive" |
    awk 'NF >= 2 && $1 !~ /^(__asan|__odr_asan|__gcov|__tsan|__ubsan)/ { print $1 }' | sort -u >"$folder/exported"
grep -v '^conv__' "$folder/exported" >"$folder/public"

report() { # report FILE TEXT: names every line of FILE
    [ -s "$1" ] || return
    sed "s/^/$2: /" "$1"
    status=1
}

grep -v '^conv_' "$folder/public" >"$folder/foreign"
report "$folder/foreign" 'exported without our prefix'
grep '^conv_' "$folder/public" | comm -23 - "$folder/declared" >"$folder/undeclared"
report "$folder/undeclared" 'exported, but in no public header'
comm -13 "$folder/public" "$folder/declared" >"$folder/undefined"
report "$folder/undefined" 'declared, but not in the library'

count=$(grep -c . "$folder/declared")
echo "$count public functions"
[ "$count" -gt 0 ] && exit $status
