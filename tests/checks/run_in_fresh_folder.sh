#!/bin/sh
# Runs a program in an empty folder. usage: run_in_fresh_folder.sh FOLDER PROGRAM…
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder" && cd "$folder" && exec "$@"
