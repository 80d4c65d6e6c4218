#!/bin/sh
# Reads every #include of include/ and src/ and fails on an arrow that is not in this table.
# usage: include_arrows.sh SOURCE-FOLDER
#
# Left: a room, or one file of it that may do more. Right: the rooms, single headers and foreign
# libraries that it may include. The standard library and the system are open to all.
table='
public                 public
core                   core public libuuid libcrypto
db                     db core public
db/postgres            db/postgres db core public libpq
db/sqlite              db/sqlite db core public sqlite
repositories           repositories core public
repositories/postgres  repositories/postgres repositories db/postgres db core public
repositories/sqlite    repositories/sqlite repositories db/sqlite db core public
saving                 saving events/bus.h repositories core public
saving/journal.c       db/sqlite db
services               services saving repositories core public providers/response.h
middleware             middleware services core public
events                 events core public libcurl libcrypto
providers              providers core public libcurl
monitoring             monitoring services/question.h services/provider_calls.h saving repositories
monitoring             events/bus.h core public
client                 client services saving middleware events providers monitoring core public
client                 repositories repositories/postgres repositories/sqlite db db/postgres db/sqlite
cli                    cli public jansson
server                 server public libmicrohttpd
'
libraries='
libpq-fe.h     libpq
postgres_ext.h libpq
sqlite3.h      sqlite
uuid/          libuuid
openssl/       libcrypto
jansson.h      jansson
curl/          libcurl
microhttpd.h   libmicrohttpd
cmocka.h       cmocka
'
cd "$1" || exit 2
files=$(find include src -name '*.[ch]' | sort)
[ -n "$files" ] || { echo "no source files in $1"; exit 2; }

# shellcheck disable=SC2086
awk -v table="$table" -v libraries="$libraries" '
function room_of(path,    parts, count) {
    if (path ~ /^include\/conversation\// || path ~ /^conversation\//) return "public"
    sub(/^src\//, "", path)
    count = split(path, parts, "/")
    if (count == 1) return "client"
    return count == 2 ? parts[1] : parts[1] "/" parts[2]
}
function target_of(name, quoted, from,    prefix) {
    for (prefix in library)
        if (index(name, prefix) == 1) return library[prefix]
    if (name ~ /^conversation\//) return "public"
    if (!quoted) return ""
    if (name !~ /\//) return from == "public" ? "public" : "client"
    return room_of("src/" name)
}
function complain(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad++
}
BEGIN {
    rows = split(table, lines, "\n")
    for (i = 1; i <= rows; i++) {
        words = split(lines[i], word, " ")
        if (words == 0) continue
        known[word[1]] = 1
        for (j = 2; j <= words; j++) allowed[word[1], word[j]] = 1
    }
    rows = split(libraries, lines, "\n")
    for (i = 1; i <= rows; i++)
        if (split(lines[i], word, " ") == 2) library[word[1]] = word[2]
}
FNR == 1 {
    from = room_of(FILENAME)
    file = FILENAME
    sub(/^src\//, "", file)
    if (!(from in known)) complain("the room " from " is not in the table of include_arrows.sh")
}
/^[ \t]*#[ \t]*include/ {
    line = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
    if (!match(line, /^["<][^">]+[">]/)) { complain("an include that can not be read: " line); next }
    quoted = substr(line, 1, 1) == "\""
    name = substr(line, 2, RLENGTH - 2)
    target = target_of(name, quoted, from)
    arrows++
    if (target == "" || (from, target) in allowed || (from, name) in allowed ||
        (file, target) in allowed || (file, name) in allowed) next
    complain(from " may not include " name " (" target ")")
}
END {
    if (arrows == 0) { print "no include was read"; exit 2 }
    printf "%d includes read, %d forbidden\n", arrows, bad
    exit bad > 0
}' $files
