# Makes a C file of the SQL files of a folder: an array of conv__migration in the order of their
# dates, with the SHA-256 of each. The files stay the truth; nobody edits what is generated.
function(embed_migrations output symbol folder)
    file(GLOB files CONFIGURE_DEPENDS ${folder}/*.sql)
    list(SORT files)
    set(script ${CMAKE_SOURCE_DIR}/cmake/embed_migrations.cmake)
    add_custom_command(OUTPUT ${output}
        COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D SYMBOL=${symbol} "-DFILES=${files}"
                -P ${script}
        DEPENDS ${files} ${script}
        COMMENT "Embedding ${folder}" VERBATIM)
endfunction()
