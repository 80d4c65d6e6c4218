#!/bin/sh
# Runs a program in an empty folder, and says its exit code unless that is 0, because ctest asks for
# nothing else where it looks at the output. usage: run_in_fresh_folder.sh FOLDER PROGRAM…
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder" && cd "$folder" && "$@" && exit
code=$?
echo "exit code $code"
exit $code
