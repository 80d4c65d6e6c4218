#!/bin/sh
# Rules of CONTRIBUTING.md that a machine can read in the sources.
# usage: source_rules.sh SOURCE-FOLDER
cd "$1" || exit 2
files=$(find include src -name '*.[ch]' | sort)
[ -n "$files" ] || { echo "no source files in $1"; exit 2; }
status=0

forbid() { # forbid WHY PATTERN FILE…
    why=$1 pattern=$2
    shift 2
    if grep -nE "$pattern" "$@" /dev/null; then
        echo "  $why"
        status=1
    fi
}

for file in $files; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || { echo "$file: $lines lines; split it by subject"; status=1; }
    head -n 1 "$file" | grep -q '^/\*' ||
        { echo "$file:1: the first line says what the file is and what it must not do"; status=1; }
done

# shellcheck disable=SC2086
forbid 'bound to the locale, or unbounded' \
    '(^|[^A-Za-z0-9_])(strtod|atof|atoi|atol|sprintf|vsprintf|strcpy|strcat|gets|setlocale)\(' $files
# shellcheck disable=SC2086
forbid 'unfinished work belongs into an issue' '(TODO|FIXME|HACK)' $files
# shellcheck disable=SC2046,SC2086
forbid 'SQL belongs into src/repositories/ and src/db/' \
    '"[ (]*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|TRUNCATE|WITH|BEGIN|COMMIT|ROLLBACK|PRAGMA)[ ;"]' \
    $(printf '%s\n' $files | grep -vE '^src/(repositories/(postgres|sqlite)|db)/')
# shellcheck disable=SC2046,SC2086
forbid 'the library never writes to the terminal' '(^|[^A-Za-z0-9_])(printf|puts|perror|fprintf\(stderr)' \
    $(printf '%s\n' $files | grep -vE '^src/(cli|server)/|^include/')
# shellcheck disable=SC2046,SC2086
forbid 'conv__thread_start starts threads that leave signals to the application' 'pthread_create\(' \
    $(printf '%s\n' $files | grep -vE '^src/(cli/|server/|core/thread\.c$)')

[ $status = 0 ] && echo "$(printf '%s\n' "$files" | grep -c .) files keep the rules"
exit $status
