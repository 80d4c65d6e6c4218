#!/bin/sh
# The program that README.md shows is examples/quickstart.c, byte for byte: what readers copy is what
# was compiled. usage: readme_program.sh SOURCE-FOLDER
awk '/^```c$/ && !seen { seen = inside = 1; next } /^```$/ { inside = 0 } inside' "$1/README.md" |
    diff - "$1/examples/quickstart.c" && echo "the same"
