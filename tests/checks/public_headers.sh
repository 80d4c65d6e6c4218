#!/bin/sh
# Each public header stands alone, as C11 and as C++11, without a warning; so do the INIT macros, which
# are compiled only where they are used; the umbrella includes all; every function is documented.
# usage: public_headers.sh INCLUDE-FOLDER
include=$1
here=$(dirname "$0")
status=0
count=0

complain() { echo "$1"; status=1; }

compile() { # compile WHAT: the text on standard input, in both languages
    text=$(cat)
    for language in 'cc -x c -std=c11' 'c++ -x c++ -std=c++11'; do
        # shellcheck disable=SC2086
        printf '%s\n' "$text" |
            $language -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$include" - ||
            complain "$1 does not compile by: $language"
    done
}

program() { printf 'int main(void)\n{\n%s\n    return 0;\n}\n' "$1"; }

for header in "$include"/conversation/*.h; do
    name=$(basename "$header")
    count=$((count + 1))
    compile "$name" <<TEXT
#include "conversation/$name"
#include "conversation/$name"
$(program)
TEXT
    [ "$name" = conversation.h ] ||
        grep -q "^#include \"$name\"" "$include/conversation/conversation.h" ||
        complain "conversation.h does not include $name"
done

macros=$(sed -n 's/^#define CONV_\([A-Z_]*\)_INIT\>.*/\1/p' "$include"/conversation/*.h)
compile 'the INIT macros' <<TEXT
#include "conversation/conversation.h"
$(program "$(for macro in $macros; do
    printf '    { conv_%s value = CONV_%s_INIT; (void)value; }\n' \
        "$(printf '%s' "$macro" | tr '[:upper:]' '[:lower:]')" "$macro"
done)")
TEXT

undocumented=$(awk -f "$here/declarations.awk" "$include"/conversation/*.h |
    awk '$3 != "yes" { print $2 ": " $1 " has no comment above it that names its thread rule" }')
[ -z "$undocumented" ] || complain "$undocumented"

echo "$count headers, $(printf '%s\n' "$macros" | grep -c .) INIT macros"
[ "$count" -gt 1 ] && exit $status
