# Each example is a program of a user: it sees the public headers alone, and runs in a folder of its
# own with no network.
file(GLOB examples CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*.c)
foreach(source IN LISTS examples)
    get_filename_component(name ${source} NAME_WE)
    add_executable(example_${name} ${source})
    set_target_properties(example_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(example_${name} PRIVATE conversation_archive conversation_options)
    set(folder ${CMAKE_BINARY_DIR}/tests/examples/${name})
    add_test(NAME check_example_${name}
        COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/checks/run_in_fresh_folder.sh ${folder}
                $<TARGET_FILE:example_${name}>)
    set_tests_properties(check_example_${name} PROPERTIES TIMEOUT 60 LABELS check)
endforeach()
set_tests_properties(check_example_quickstart PROPERTIES
    PASS_REGULAR_EXPRESSION "^Where is my order\\?\n$")
set_tests_properties(check_example_streaming PROPERTIES
    PASS_REGULAR_EXPRESSION "interrupted: \"Say all of this again.*\" is saved in session [0-9a-f-]+\n$")
set_tests_properties(check_example_own_provider PROPERTIES
    PASS_REGULAR_EXPRESSION "assistant  Forty-two.*assistant  Forty-two.*56 tokens, 0\\.000012 USD\n$")
set_tests_properties(check_example_event_loop PROPERTIES
    PASS_REGULAR_EXPRESSION "^5 exchanges saved\n$")
set_tests_properties(check_example_middleware PROPERTIES
    PASS_REGULAR_EXPRESSION "^count > rate_limit > redact > validate_ids > polite > time_limit > provider > save_to_database > track_usage > publish\nsaved    Where is \\[redacted:order\\]\\? Write to \\[redacted:email\\]\nrefused  invalid argument: please do not shout\nsaved    Please\\.\nrefused  limit: .*\n2 answered, 2 not\n$")
set_tests_properties(check_example_events PROPERTIES
    PASS_REGULAR_EXPRESSION "\"session\\.created\".*\"exchange\\.saved\".*\"exchange\\.saved\".*2 exchanges saved\n$")
set_tests_properties(check_example_metrics PROPERTIES
    PASS_REGULAR_EXPRESSION "conversation_messages_saved_total 2\n")
set_tests_properties(check_example_health PROPERTIES
    PASS_REGULAR_EXPRESSION "database_saves  ok .*GET /livez  200\nGET /readyz 200\n$")
set_tests_properties(check_example_documents PROPERTIES
    PASS_REGULAR_EXPRESSION "^upload complete: 50 bytes\nparse complete: 50 bytes\nembed complete: 50 bytes\nsearch interrupted: -1 bytes\n$")
set_tests_properties(check_example_daily_report PROPERTIES
    PASS_REGULAR_EXPRESSION "2026-11-23  1200 tokens  0\\.02 USD\n2026-11-24  2400 tokens  0\\.0175 USD\nsummary, ledger and sessions agree\n$")
set_tests_properties(check_example_branches PROPERTIES
    PASS_REGULAR_EXPRESSION "2 messages say order\nerased 4 messages, kept 2 usage records\n$")
set_tests_properties(check_example_summaries PROPERTIES
    PASS_REGULAR_EXPRESSION "told 1 messages.*told 3 messages.*summary: An order is late\\.\nI was told 2 messages\\.\n$")

add_test(NAME check_readme_program
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/checks/readme_program.sh ${CMAKE_SOURCE_DIR})
set_tests_properties(check_readme_program PROPERTIES TIMEOUT 60 LABELS check)
