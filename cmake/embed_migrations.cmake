# Run by EmbedMigrations.cmake at build time: OUTPUT, SYMBOL, FILES.
set(arrays "")
set(table "")
set(index 0)
foreach(file IN LISTS FILES)
    get_filename_component(base ${file} NAME_WE)
    string(REGEX MATCH "^([0-9]+)_(.+)$" matched ${base})
    if(NOT matched)
        message(FATAL_ERROR "${file}: a migration is called YYYYMMDDHHMMSS_name.sql")
    endif()
    set(version ${CMAKE_MATCH_1})
    set(name ${CMAKE_MATCH_2})
    file(SHA256 ${file} checksum)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND arrays "static const char sql_${index}[] = {${bytes}0};\n")
    string(APPEND table
        "    {${version}, \"${name}\", \"${checksum}\", sql_${index}},\n")
    math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT}
"/* Generated from sql/ by cmake/embed_migrations.cmake. */
#include \"db/migration.h\"

${arrays}
const conv__migration ${SYMBOL}[] = {
${table}    {0, 0, 0, 0},
};
")
