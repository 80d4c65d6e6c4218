# Each example is a program of a user: it sees the public headers alone, and runs in a folder of its
# own with no network, once on each store: on the SQLite file that it makes by itself, and on a fresh
# PostgreSQL database.
add_executable(with_database ${CMAKE_CURRENT_SOURCE_DIR}/checks/with_database.c)
target_link_libraries(with_database PRIVATE tests_support conversation_options)

function(add_example name source)
    add_executable(example_${name} ${source})
    set_target_properties(example_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_link_libraries(example_${name} PRIVATE conversation_archive conversation_options)
    set_property(GLOBAL APPEND PROPERTY examples ${name})
endfunction()

function(run_example name kind output) # further words: what runs it
    set(test check_example_${name}_${kind})
    add_test(NAME ${test}
        COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/checks/run_in_fresh_folder.sh
                ${CMAKE_BINARY_DIR}/tests/examples/${name}_${kind} ${ARGN})
    set_tests_properties(${test} PROPERTIES TIMEOUT 60 LABELS check
        PASS_REGULAR_EXPRESSION "${output}" FAIL_REGULAR_EXPRESSION "exit code")
endfunction()

function(check_example name output)
    add_example(${name} ${CMAKE_SOURCE_DIR}/examples/${name}.c)
    run_example(${name} sqlite "${output}" $<TARGET_FILE:example_${name}>)
    run_example(${name} postgresql "${output}" $<TARGET_FILE:with_database>
        $<TARGET_FILE:example_${name}>)
endfunction()

check_example(branches
    "message 1 goes on after 0\nmessage 2 goes on after 1\nmessage 3 goes on after 0\nmessage 4 goes on after 3\n2 messages say order\nerased 4 messages, kept 2 usage records\n$")
check_example(daily_report
    "2026-11-23  1200 tokens  0\\.02 USD\n2026-11-24  2400 tokens  0\\.0175 USD\nsummary, ledger and sessions agree\n$")
check_example(documents
    "^listed: contract\\.txt, text/plain, last upload\nfound: contract\\.txt, text/plain, last upload\nupload complete: 50 bytes\nocr complete: 50 bytes\nparse complete: 50 bytes\nembed complete: 50 bytes\nsearch interrupted: -1 bytes\nread: contract\\.txt, text/plain, last search\ndeleted: 1 document; kept: 6 usage records\n$")
check_example(event_loop
    "^5 exchanges saved\n$")
check_example(event_queue
    "^shows 1 tokens\n6 exchanges saved; 4 events wait, 2 were dropped\nshows 4 tokens\nshows 5 tokens\nshows 6 tokens\n$")
check_example(events
    "\"session\\.created\".*\"exchange\\.saved\".*\"exchange\\.saved\".*\"exchange\\.saved\".*2 exchanges counted\n$")
check_example(health
    "answered in .*database_saves  ok .*provider        ok .*GET /livez  200\nGET /readyz 200\n$")
check_example(metrics
    "conversation_messages_saved_total 2\n")
check_example(middleware
    "^count > rate_limit > redact > validate_ids > polite > time_limit > provider > save_to_database > track_usage > publish\nsaved    Where is \\[redacted:order\\]\\? Write to \\[redacted:email\\]\nrefused  invalid argument: please do not shout\nsaved    Please\\.\nrefused  limit: .*\n2 answered, 2 not\n$")
check_example(own_provider
    "assistant  Forty-two.*assistant  Forty-two.*56 tokens, 0\\.000012 USD\n$")
check_example(sessions
    "^listed thanks: no title, 4 messages\narchived order-4711: A late order, 2 messages #shipping\ndeleted: 1 session, 2 messages; kept: 1 usage records\nagain: there is no session with this id\nerased: 1 session, 4 messages; kept: 3 usage records\nthe ledger has 3 records of somebody\n$")
check_example(steps
    "^user: When are you open\\?\nassistant: From nine to five\\. -- the shop\nuser: And my refund\\?\nassistant: I was told: Refunds take a week\\. -- the shop\n$")
check_example(streaming
    "interrupted: \"Say all of this again.*\" is saved in session [0-9a-f-]+\n$")
check_example(summaries
    "told 1 messages.*told 3 messages.*summary: An order is late\\.\nI was told 2 messages\\.\nup to message 4: \\[\"order 4711\"\\]\n$")
check_example(webhook
    "^session\\.created, signed by you\nexchange\\.saved, signed by you\n$")

# Of PostgreSQL alone: SQLite has nothing like NOTIFY.
add_example(notify ${CMAKE_SOURCE_DIR}/examples/notify.c)
run_example(notify postgresql
    "^{[^\n]*\"event\":\"session\\.created\"[^\n]*}\n{[^\n]*\"event\":\"exchange\\.saved\"[^\n]*}\n$"
    $<TARGET_FILE:with_database> $<TARGET_FILE:example_notify>)

# The first program that anybody reads names its store and takes no argument. A copy that names none
# takes the one of $CONVERSATION_STORE.
set(quickstart ${CMAKE_SOURCE_DIR}/examples/quickstart.c)
set(quickstart_output "^Where is my order\\?\n$")
add_example(quickstart ${quickstart})
run_example(quickstart sqlite ${quickstart_output} $<TARGET_FILE:example_quickstart>)
file(READ ${quickstart} text)
string(REPLACE "\"sqlite:app.db\"" "NULL" text "${text}")
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/quickstart_anywhere.c CONTENT "${text}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${quickstart})
add_example(quickstart_anywhere ${CMAKE_CURRENT_BINARY_DIR}/quickstart_anywhere.c)
run_example(quickstart postgresql ${quickstart_output}
    $<TARGET_FILE:with_database> $<TARGET_FILE:example_quickstart_anywhere>)

get_property(checked GLOBAL PROPERTY examples)
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/examples/*.c)
foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    if(NOT name IN_LIST checked)
        message(FATAL_ERROR "examples/${name}.c is run by nobody: say here what it prints")
    endif()
endforeach()

add_test(NAME check_readme_program
    COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/checks/readme_program.sh ${CMAKE_SOURCE_DIR})
set_tests_properties(check_readme_program PROPERTIES TIMEOUT 60 LABELS check)
