# What users get: the archive's symbols.
add_test(NAME check_exported_symbols
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/checks/exported_symbols.sh
            $<TARGET_FILE:conversation_archive> ${CMAKE_SOURCE_DIR}/include/conversation)
set_tests_properties(check_exported_symbols PROPERTIES TIMEOUT 120 LABELS check)
