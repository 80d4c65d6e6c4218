# What users get: the archive's symbols, and the installed library as a consumer sees it.
add_test(NAME check_exported_symbols
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/checks/exported_symbols.sh
            $<TARGET_FILE:conversation_archive> ${CMAKE_SOURCE_DIR}/include/conversation)

set(sanitizer_flags "")
if(CONVERSATION_SANITIZERS)
    set(sanitizer_flags -fsanitize=${CONVERSATION_SANITIZERS})
elseif(CONVERSATION_COVERAGE)
    set(sanitizer_flags --coverage)
endif()
add_test(NAME check_install
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/checks/install.sh ${CMAKE_COMMAND} ${CMAKE_BINARY_DIR}
            ${CMAKE_SOURCE_DIR}/examples/quickstart.c ${CMAKE_BINARY_DIR}/tests/install
            "${sanitizer_flags}" ${CMAKE_INSTALL_LIBDIR})
set_tests_properties(check_exported_symbols check_install PROPERTIES TIMEOUT 120 LABELS check)
