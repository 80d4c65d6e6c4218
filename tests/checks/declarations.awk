# Lists what public headers declare: one line "NAME FILE:LINE DOCUMENTED" for each function, where
# DOCUMENTED is yes if the comment directly above it names its thread rule. Several declarations in
# one block, with no empty line between, share the comment above the block.
FNR == 1 { in_comment = 0; documented = "no"; pending = "" }
{
    line = $0
    if (in_comment) {
        comment = comment " " line
        if (line ~ /\*\//) { in_comment = 0; documented = comment ~ /Thread:/ ? "yes" : "no" }
        next
    }
    if (line ~ /^[ \t]*\/\*/) {
        comment = line
        if (line ~ /\*\//) documented = comment ~ /Thread:/ ? "yes" : "no"
        else in_comment = 1
        next
    }
    if (line ~ /^[ \t]*$/) { documented = "no"; next }
    if (line ~ /^#/ || line ~ /^[ \t{}]/ || line ~ /^(typedef|extern|struct|enum|})/) next
    gsub(/\/\*.*\*\//, "", line)
    if (match(line, /conv_[a-z0-9_]+\(/)) {
        name = substr(line, RSTART, RLENGTH - 1)
        printf "%s %s:%d %s %s\n", name, FILENAME, FNR, documented, line ~ /inline/ ? "inline" : "library"
    }
}
