#!/bin/sh
# Installs into a fresh prefix, compiles a consumer by pkg-config alone, and runs it and the program.
# usage: install.sh CMAKE BUILD-FOLDER EXAMPLE.c WORK-FOLDER SANITIZER-FLAGS LIBRARY-FOLDER
set -e
cmake=$1 build=$2 example=$3 work=$4 flags=$5 libraries=$6
prefix=$work/prefix
rm -rf "$work"
mkdir -p "$work"
"$cmake" --install "$build" --prefix "$prefix" >"$work/install.log"

for file in bin/conversation "$libraries/libconversation.a" include/conversation/conversation.h \
    "$libraries/pkgconfig/libconversation.pc"; do
    [ -f "$prefix/$file" ] || { echo "not installed: $file"; exit 1; }
done

export PKG_CONFIG_PATH="$prefix/$libraries/pkgconfig"
# The flags are words: the consumer is compiled with the sanitizers that the archive has.
# shellcheck disable=SC2046,SC2086
cc -std=c11 -Wall -Wextra -Werror $flags -o "$work/consumer" "$example" \
    $(pkg-config --cflags --libs libconversation)
cd "$work"
[ "$(./consumer)" = 'Where is my order?' ] || { echo "the consumer answers something else"; exit 1; }
[ -s app.db ] || { echo "the consumer saved nothing"; exit 1; }
version=$(pkg-config --modversion libconversation)
"$prefix/bin/conversation" version | grep -qF "$version" || { echo "not version $version"; exit 1; }
"$prefix/bin/conversation" history support-42 --store sqlite:app.db | grep -q 'Where is my order?' ||
    { echo "the installed program does not find what the consumer saved"; exit 1; }
echo "version $version installed, linked, run"
