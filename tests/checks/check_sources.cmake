# Rules about the sources themselves, and proof that the checks see what they are to see.
set(checks ${CMAKE_CURRENT_SOURCE_DIR}/checks)
add_test(NAME check_break_patches
    COMMAND sh ${checks}/break_patches.sh ${CMAKE_SOURCE_DIR})
add_test(NAME check_include_arrows
    COMMAND sh ${checks}/include_arrows.sh ${CMAKE_SOURCE_DIR})
add_test(NAME check_include_arrows_selftest
    COMMAND sh ${checks}/include_arrows_selftest.sh)
add_test(NAME check_public_headers
    COMMAND sh ${checks}/public_headers.sh ${CMAKE_SOURCE_DIR}/include)
add_test(NAME check_source_rules
    COMMAND sh ${checks}/source_rules.sh ${CMAKE_SOURCE_DIR})
add_test(NAME check_source_rules_selftest
    COMMAND sh ${checks}/source_rules_selftest.sh)
set_tests_properties(check_break_patches check_include_arrows check_include_arrows_selftest
    check_public_headers check_source_rules check_source_rules_selftest
    PROPERTIES TIMEOUT 120 LABELS check)
