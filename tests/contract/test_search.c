/* Search through the public API, on either store: what is found, in which order, and that saving
 * does no indexing. */
#include "support/test.h"

#include <stdlib.h>

#include "conversation/conversation.h"
#include "support/contract_client.h"
#include "support/store.h"

static conv_client *client;

static int setup(void **state)
{
    if (contract_client_setup(state) != 0) return -1;
    conv_client_params params = contract_client_params();
    client = contract_client_open(&params);
    return 0;
}

static int teardown(void **state)
{
    contract_client_close(&client);
    return contract_client_teardown(state);
}

static void save(const char *session, const char *user, conv_bytes question, const char *answer,
                 int64_t created_us)
{
    conv_message messages[2] = {{.role = CONV_ROLE_USER, .content = question},
                                {.role = CONV_ROLE_ASSISTANT, .content = conv_text(answer)}};
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_error error;
    exchange.session_id = session;
    exchange.user_id = user;
    exchange.messages = messages;
    exchange.message_count = 2;
    exchange.created_us = created_us;
    exchange.title = "a title";
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
}

static conv_search_page *find(const conv_search_params *params)
{
    conv_search_page *page = NULL;
    conv_error error;
    assert_ok(conv_search(client, params, &page, &error), error);
    return page;
}

static size_t hits(const char *query)
{
    conv_search_params params = CONV_SEARCH_PARAMS_INIT;
    params.query = conv_text(query);
    conv_search_page *page = find(&params);
    assert_true(conv_search_page_is_complete(page));
    size_t found = conv_search_page_count(page);
    conv_search_page_free(page);
    return found;
}

static void words_are_found_as_both_stores_spell_them(void **state)
{
    (void)state;
    save("words", "u", conv_text("Where is my order no. 4711-B? See https://shop.example/track_me"),
         "Your W\xC3\x96RTER parcel is on its way.", 1000);
    assert_int_equal(hits("order"), 1);
    assert_int_equal(hits("ORDER where"), 1);
    assert_int_equal(hits("order parcel"), 0);
    assert_int_equal(hits("4711"), 1);
    assert_int_equal(hits("4711-B"), 1);
    assert_int_equal(hits("shop"), 1);
    assert_int_equal(hits("shop.example"), 1);
    assert_int_equal(hits("track_me"), 1);
    assert_int_equal(hits("w\xC3\x96rter"), 1);
    assert_int_equal(hits("\"on its way\""), 1);
    assert_int_equal(hits("\"its on way\""), 0);
    assert_int_equal(hits("parc"), 0);
    assert_int_equal(hits("parc*"), 1);
    assert_int_equal(hits("parcel \xE2\x80\x94 way"), 1);
}

/* Whatever the database's locale takes for a letter. */
static void words_end_at_the_same_signs_everywhere(void **state)
{
    (void)state;
    static const char *const found[] = {
        "注文", "番号", "図書館", "全角",     "½",    "½ frei", "हिन्दी",     "ไทยที่",
        "नमस्ते", "x²",   "naïve",  "e\u0301t", "12",   "34",     "\"12 34\"", "𞤀𞤁",
        "ﬁn",   "k",    "l",      "achtung",  "lieb", "1",
    };
    static const char *const not_found[] = {"注", "ह", "न", "ไท", "·", "（", "e", "t", "x", "1234"};
    save("signs", "u",
         conv_text("注文　番号、…「図書館」へ・…（全角）: ½ frei; हिन्दी।नमस्ते ไทยที่ x² naïve "
                   "e\u0301t 12€34 🦀𞤀𞤁⇒ﬁn k\u200Bl \u26A0\uFE0FAchtung\u2764\uFE0Flieb "
                   "1\uFE0F\u20E3"),
         "frei", 1200);
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
        if (hits(found[i]) != 1) fail_msg("%s is found %zu times", found[i], hits(found[i]));
    for (size_t i = 0; i < sizeof not_found / sizeof not_found[0]; i++)
        if (hits(not_found[i]) != 0) fail_msg("%s is found", not_found[i]);
    assert_int_equal(hits("frei"), 2);
    assert_int_equal(hits("注*"), 1);
}

static void only_the_last_word_of_a_phrase_may_go_on(void **state)
{
    (void)state;
    save("phrase", "u", conv_text("good food barely"), "foods bar; goods food bar", 1500);
    assert_int_equal(hits("\"food bar*\""), 2);
    assert_int_equal(hits("\"good food bar*\""), 1);
    assert_int_equal(hits("\"foo bar*\""), 0);
    assert_int_equal(hits("\"go food bar*\""), 0);
    assert_int_equal(hits("\"food ba*\" good*"), 2);
}

static void hostile_queries_have_a_sensible_answer(void **state)
{
    (void)state;
    static const char *const nothing[] = {"",  " ",        "'; --",     "\"",  "\"\"",
                                          "*", "-",        "& | ! ( )", "':*", "\\",
                                          "%", "\xFF\xFE", "^^ NEAR("};
    for (size_t i = 0; i + 1 < sizeof nothing / sizeof nothing[0]; i++) {
        conv_search_params params = CONV_SEARCH_PARAMS_INIT;
        params.query = conv_text(nothing[i]);
        conv_search_page *page = find(&params);
        assert_false(conv_search_page_has_words(page));
        assert_int_equal(conv_search_page_count(page), 0);
        assert_false(conv_search_page_has_more(page));
        conv_search_page_free(page);
    }
    save("hostile", "u", conv_text("AND OR NOT NEAR drop table x"), "order", 2000);
    assert_int_equal(hits("AND"), 1);
    assert_int_equal(hits("NEAR(drop)"), 1);
    assert_int_equal(hits("'; DROP TABLE x; --"), 1);
    assert_int_equal(hits("not and or"), 1);
    assert_int_equal(hits("words: hostile^2"), 0);
    conv_search_params params = CONV_SEARCH_PARAMS_INIT;
    conv_search_page *page = NULL;
    conv_error error;
    char *large = calloc(1, 20001);
    assert_non_null(large);
    memset(large, 'a', 20000);
    params.query = conv_text(large);
    assert_status(conv_search(client, &params, &page, &error), CONV_INVALID_ARGUMENT, error);
    free(large);
    params.query = conv_text("order");
    params.limit = 101;
    assert_status(conv_search(client, &params, &page, &error), CONV_INVALID_ARGUMENT, error);
    assert_null(page);
    assert_status(conv_search(client, NULL, &page, &error), CONV_INVALID_ARGUMENT, error);
}

/* Up to the longest that is taken: one word, words, bytes of no word, and bytes that are no text.
 */
static void long_queries_have_a_sensible_answer(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a", "ab ", "\xC3\xA4", "'; --", "\"", "\xFF", "\"x\" y*"};
    static char query[10001];
    save("long", "u", conv_text("ab"), "x y", 2500);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        for (size_t size = 2040; size <= 10000; size += size < 2056 ? 1 : 1986) {
            conv_search_params params = CONV_SEARCH_PARAMS_INIT;
            size_t length = strlen(pieces[i]);
            for (size_t at = 0; at < size; at++)
                query[at] = pieces[i][at % length];
            params.query = conv_view(query, size - size % length);
            conv_search_page *page = find(&params);
            assert_true(conv_search_page_count(page) <= 1);
            conv_search_page_free(page);
        }
    conv_search_params params = CONV_SEARCH_PARAMS_INIT;
    params.query = conv_view("ab\0cd", 5);
    conv_search_page *page = find(&params);
    assert_true(conv_search_page_has_words(page));
    assert_int_equal(conv_search_page_count(page), 0);
    conv_search_page_free(page);
}

/* PostgreSQL's index holds no word of more than 2,046 bytes; the words around it are found, and it
 * must not be left out of a query. */
static void a_word_of_any_length_must_be_in_the_message(void **state)
{
    (void)state;
    static char word[3000];
    static char query[4000];
    bool is_sqlite = strcmp(test_store_kind(), "sqlite") == 0;
    for (size_t size = 2046; size < sizeof word; size += 953) {
        size_t wanted = size == 2046 || is_sqlite ? 1 : 0;
        memset(word, 'w', size);
        snprintf(query, sizeof query, "early%zu %s late%zu", size, word, size);
        save("word", "u", conv_text(query), "late2046 late2999", 2600 + (int64_t)size);
        snprintf(query, sizeof query, "early%zu late%zu", size, size);
        assert_int_equal(hits(query), 1);
        snprintf(query, sizeof query, "late%zu %s", size, word);
        assert_int_equal(hits(query), wanted);
        snprintf(query, sizeof query, "\"%s late%zu\"", word, size);
        assert_int_equal(hits(query), wanted);
    }
    memset(word, 'v', sizeof word - 1);
    snprintf(query, sizeof query, "%s* late2046", word);
    assert_int_equal(hits(query), 0);
    /* Longer in small letters than in capitals, where a locale knows them. */
    for (size_t i = 0; i < 2046; i += 2)
        memcpy(word + i, "\u023A", 3);
    save("word", "u", conv_text(word), "longer", 2700);
    snprintf(query, sizeof query, "%s", word);
    assert_true(hits(query) <= 1);
}

static void a_hit_says_where_it_stands(void **state)
{
    (void)state;
    conv_search_params params = CONV_SEARCH_PARAMS_INIT;
    static const char text[] = "before\n before before before before before before before before "
                               "before Zebra\0\xFF"
                               "after after after after after after after after after after after "
                               "after after after after after after after after after after after";
    save("zoo \x01\xFF", "u", conv_view(text, sizeof text - 1), "nothing", 1700000000000000);
    params.query = conv_text("zebra");
    conv_search_page *page = find(&params);
    assert_int_equal(conv_search_page_count(page), 1);
    const conv_search_hit *hit = conv_search_page_hit(page, 0);
    assert_bytes(hit->external_id, "zoo \x01\xFF");
    assert_bytes(hit->title, "a title");
    assert_int_equal(hit->position, 1);
    assert_int_equal(hit->role, CONV_ROLE_USER);
    assert_true(hit->created_us == 1700000000000000);
    assert_int_equal(hit->match_size, 5);
    assert_memory_equal(hit->snippet.data + hit->match_offset, "Zebra", 5);
    assert_true(hit->snippet.size < 200);
    assert_memory_equal(hit->snippet.data, "\xE2\x80\xA6", 3);
    assert_null(memchr(hit->snippet.data, '\n', hit->snippet.size));
    assert_null(conv_search_page_hit(page, 1));
    conv_history *history = NULL;
    conv_error error;
    assert_ok(conv_history_message_by_id(client, hit->message_id, &history, &error), error);
    assert_int_equal(conv_history_message(history, 0)->content.size, sizeof text - 1);
    conv_history_free(history);
    conv_search_page_free(page);
}

static void parts_are_found_and_the_largest_text_too(void **state)
{
    (void)state;
    conv_message messages[2] = {
        {.role = CONV_ROLE_USER,
         .parts = conv_text("[{\"type\":\"text\",\"text\":\"a giraffe\"},\"x\",{\"text\":7},"
                            "{\"type\":\"image_url\"}]")},
        {.role = CONV_ROLE_ASSISTANT}};
    size_t size = 3 << 20;
    char *large = malloc(size);
    conv_exchange exchange = CONV_EXCHANGE_INIT;
    conv_error error;
    assert_non_null(large);
    for (size_t i = 0; i < size; i += 8)
        memcpy(large + i,
               (char[9]){'a' + (char)(i / 8 % 26), 'b' + (char)(i / 208 % 24),
                         'a' + (char)(i / 4992 % 26), 'k', '-', 'x', 'y', ' ', 0},
               8);
    messages[1].content = conv_view(large, size);
    exchange.session_id = "parts";
    exchange.messages = messages;
    exchange.message_count = 2;
    assert_ok(conv_save_exchange(client, &exchange, NULL, &error), error);
    assert_int_equal(hits("giraffe"), 1);
    assert_int_equal(hits("abak"), 1);
    free(large);
}

static void pages_hold_each_hit_once_newest_first(void **state)
{
    (void)state;
    char session[32];
    for (int i = 0; i < 7; i++) {
        snprintf(session, sizeof session, "page %d", i);
        save(session, i < 3 ? "pager" : "other", conv_text("pelican"), "pelican too",
             5000000 + i / 2);
    }
    conv_search_params params = CONV_SEARCH_PARAMS_INIT;
    params.query = conv_text("pelican");
    params.limit = 4;
    size_t seen = 0;
    int64_t last = INT64_MAX;
    for (bool more = true; more;) {
        conv_search_page *page = find(&params);
        for (size_t i = 0; i < conv_search_page_count(page); i++, seen++) {
            const conv_search_hit *hit = conv_search_page_hit(page, i);
            assert_true(hit->created_us <= last);
            last = params.after_us = hit->created_us;
            params.after_id = hit->session_id;
            params.after_position = hit->position;
        }
        more = conv_search_page_has_more(page);
        conv_search_page_free(page);
    }
    assert_int_equal(seen, 14);
    params = (conv_search_params)CONV_SEARCH_PARAMS_INIT;
    params.query = conv_text("pelican");
    params.user_id = "pager";
    conv_search_page *page = find(&params);
    assert_int_equal(conv_search_page_count(page), 6);
    conv_search_page_free(page);
    params.session_id = "page 0";
    page = find(&params);
    assert_int_equal(conv_search_page_count(page), 2);
    conv_search_page_free(page);
    conv_error error;
    assert_ok(conv_session_archive(client, "page 0", true, &error), error);
    page = find(&params);
    assert_int_equal(conv_search_page_count(page), 0);
    conv_search_page_free(page);
    params.archived = CONV_ARCHIVED_TOO;
    page = find(&params);
    assert_int_equal(conv_search_page_count(page), 2);
    conv_search_page_free(page);
}

/* Saving leaves a note; the first search, or conv_search_index, works it off. */
static void saving_does_not_index(void **state)
{
    (void)state;
    conv_error error;
    bool complete = false;
    assert_ok(conv_search_index(client, 60000, &complete, &error), error);
    assert_true(complete);
    long before = contract_count("SELECT count(*) FROM chat_search");
    save("later", "u", conv_text("ocelot"), "yes", 3000);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_search"), before);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_search_queue"), 1);
    assert_int_equal(hits("ocelot"), 1);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_search"), before + 2);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_search_queue"), 0);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_search"),
                     contract_count("SELECT count(*) FROM chat_messages"));
}

static void what_is_deleted_is_found_no_more(void **state)
{
    (void)state;
    conv_error error;
    conv_delete_receipt receipt;
    save("gone", "u", conv_text("quokka"), "quokka", 4000);
    assert_int_equal(hits("quokka"), 2);
    assert_ok(conv_session_delete(client, "gone", &receipt, &error), error);
    assert_int_equal(receipt.messages, 2);
    assert_int_equal(hits("quokka"), 0);
    /* Deleted before it was indexed, and made again meanwhile. */
    save("gone", "u", conv_text("numbat"), "numbat", 4000);
    assert_ok(conv_session_delete(client, "gone", &receipt, &error), error);
    save("gone", "u", conv_text("wombat"), "wombat", 4000);
    assert_int_equal(hits("numbat"), 0);
    assert_int_equal(hits("wombat"), 2);
    assert_int_equal(contract_count("SELECT count(*) FROM chat_search"),
                     contract_count("SELECT count(*) FROM chat_messages"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_found_as_both_stores_spell_them),
        cmocka_unit_test(words_end_at_the_same_signs_everywhere),
        cmocka_unit_test(only_the_last_word_of_a_phrase_may_go_on),
        cmocka_unit_test(hostile_queries_have_a_sensible_answer),
        cmocka_unit_test(long_queries_have_a_sensible_answer),
        cmocka_unit_test(a_word_of_any_length_must_be_in_the_message),
        cmocka_unit_test(a_hit_says_where_it_stands),
        cmocka_unit_test(parts_are_found_and_the_largest_text_too),
        cmocka_unit_test(pages_hold_each_hit_once_newest_first),
        cmocka_unit_test(saving_does_not_index),
        cmocka_unit_test(what_is_deleted_is_found_no_more),
    };
    return RUN_TESTS_WITH("search", tests, setup, teardown);
}
