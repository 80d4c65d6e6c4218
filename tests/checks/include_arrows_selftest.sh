#!/bin/sh
# Proves that include_arrows.sh sees: each forbidden arrow, alone in a small tree, must turn it red and
# be named; the allowed ones together must leave it green.
# usage: include_arrows_selftest.sh
check=$(cd "$(dirname "$0")" && pwd)/include_arrows.sh
folder=$(mktemp -d) || exit 2
trap 'rm -rf "$folder"' EXIT
failures=0

tree() { # tree FILE INCLUDE: a tree of one allowed arrow, and this one
    rm -rf "$folder/include" "$folder/src"
    mkdir -p "$folder/include/conversation" "$folder/src/core" "$folder/$(dirname "$1")"
    echo '#include <stdint.h>' >"$folder/include/conversation/bytes.h"
    echo '#include "conversation/bytes.h"' >"$folder/src/core/text.h"
    printf '/* First line. */\n#include %s\n' "$2" >"$folder/$1"
}

forbidden() {
    tree "$1" "$2"
    if output=$(sh "$check" "$folder"); then
        echo "not seen: $1 includes $2"
        failures=$((failures + 1))
    elif ! printf '%s\n' "$output" | grep -q "^$1:2: "; then
        echo "red, but not named: $1 includes $2: $output"
        failures=$((failures + 1))
    fi
}

allowed() {
    tree "$1" "$2"
    output=$(sh "$check" "$folder") && return
    echo "wrongly refused: $1 includes $2: $output"
    failures=$((failures + 1))
}

forbidden src/core/text.c '"services/turn.h"'
forbidden src/core/text.c '<libpq-fe.h>'
forbidden src/core/text.c '"text.h"'
forbidden src/services/turn.c '<libpq-fe.h>'
forbidden src/services/turn.c '<sqlite3.h>'
forbidden src/services/turn.c '"repositories/postgres/chat.h"'
forbidden src/services/turn.c '"db/migration.h"'
forbidden src/services/turn.c '"store_location.h"'
forbidden src/services/turn.c '"providers/openai.h"'
forbidden src/saving/writer.c '"services/turn.h"'
forbidden src/saving/writer.c '"db/sqlite/database.h"'
forbidden src/repositories/rows.c '"repositories/sqlite/chat.h"'
forbidden src/repositories/postgres/chat.c '<libpq-fe.h>'
forbidden src/repositories/postgres/chat.c '"db/sqlite/database.h"'
forbidden src/repositories/sqlite/chat.c '"repositories/postgres/chat.h"'
forbidden src/repositories/sqlite/chat.c '"saving/writer.h"'
forbidden src/db/postgres/pool.c '"repositories/store.h"'
forbidden src/db/postgres/pool.c '<sqlite3.h>'
forbidden src/providers/openai.c '"services/turn.h"'
forbidden src/providers/openai.c '<jansson.h>'
forbidden src/cli/main.c '"core/text.h"'
forbidden src/cli/main.c '  <libpq-fe.h>'
forbidden src/server/main.c '"services/turn.h"'
forbidden src/attic/old.c '"conversation/bytes.h"'
forbidden include/conversation/turn.h '"core/text.h"'
forbidden include/conversation/turn.h '<libpq-fe.h>'
forbidden src/services/turn.c 'SOME_MACRO'

allowed src/client.c '"store_location.h"'
allowed src/client.c '"repositories/postgres/store.h"'
allowed src/services/turn.c '"saving/writer.h"'
allowed src/services/turn.c '"providers/response.h"'
allowed src/saving/journal.c '"db/sqlite/database.h"'
allowed src/repositories/postgres/chat.c '"db/postgres/pipeline.h"'
allowed src/db/postgres/pool.c '<libpq-fe.h>'
allowed src/cli/main.c '<conversation/conversation.h>'
allowed include/conversation/turn.h '"bytes.h"'

[ "$failures" = 0 ] && echo "27 forbidden arrows seen, 9 allowed ones let through"
[ "$failures" = 0 ]
