#!/bin/sh
# Proves that source_rules.sh and public_headers.sh see: each broken rule, alone in a small tree, must
# turn them red.
# usage: source_rules_selftest.sh
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
failures=0

sources() { # sources FILE TEXT: a tree with one good file, and this one
    rm -rf "$folder/src" "$folder/include"
    mkdir -p "$folder/include/conversation" "$folder/src/core" "$folder/$(dirname "$1")"
    echo '/* Good. */' >"$folder/src/core/good.c"
    printf '%s\n' "$2" >"$folder/$1"
}

refused() {
    sources "$1" "$2"
    sh "$here/source_rules.sh" "$folder" >"$folder/output" && {
        echo "not seen in $1: $2"
        failures=$((failures + 1))
    }
}

accepted() {
    sources "$1" "$2"
    sh "$here/source_rules.sh" "$folder" >"$folder/output" || {
        echo "wrongly refused in $1: $2: $(cat "$folder/output")"
        failures=$((failures + 1))
    }
}

refused src/core/a.c 'int x;'
refused src/core/a.c "/* Long. */$(yes '
int x;' | head -n 1300)"
refused src/core/a.c '/* A. */
double x = strtod(text, NULL);'
refused src/core/a.c '/* A. TODO: more */'
refused src/services/a.c '/* A. */
const char *sql = "SELECT 1";'
refused src/saving/a.c '/* A. */
run("BEGIN");'
refused src/core/a.c '/* A. */
fprintf(stderr, "oh");'
refused src/services/a.c '/* A. */
pthread_create(&thread, NULL, run, self);'
accepted src/core/thread.c '/* A. */
pthread_create(&thread, NULL, run, self);'
accepted src/repositories/postgres/a.c '/* A. */
const char *sql = "SELECT 1";'
accepted src/cli/a.c '/* A. */
fprintf(stderr, "oh");'
accepted src/core/a.c '/* A. */
snprintf(text, sizeof text, "Select one");'

header() { # header TEXT: an umbrella and one more header
    rm -rf "$folder/include"
    mkdir -p "$folder/include/conversation"
    printf '#include "a.h"\n#include "b.h"\n' >"$folder/include/conversation/conversation.h"
    printf '%s\n' '#define CONV_A_INIT {0}' 'typedef struct conv_a { int b; } conv_a;' |
        sed '1i#ifndef A\n#define A' | sed '$a#endif' >"$folder/include/conversation/a.h"
    printf '%s\n' "$1" >"$folder/include/conversation/b.h"
}

header_refused() {
    header "$1"
    sh "$here/public_headers.sh" "$folder/include" >"$folder/output" 2>&1 && {
        echo "header not refused: $1"
        failures=$((failures + 1))
    }
}

header '/* Adds. Thread: any. */
int conv_b(void);'
sh "$here/public_headers.sh" "$folder/include" >"$folder/output" 2>&1 || {
    echo "good header refused: $(cat "$folder/output")"
    failures=$((failures + 1))
}
header_refused '/* Adds. */
int conv_b(void);'
header_refused '/* Adds. Thread: any. */

int conv_b(void);'
header_refused '/* Adds. Thread: any. */
size_t conv_b(void);'
header_refused '/* Adds. Thread: any. */
int conv_b(int class);'
header_refused 'int b = 1;'

[ "$failures" = 0 ] && echo "all seen"
[ "$failures" = 0 ]
