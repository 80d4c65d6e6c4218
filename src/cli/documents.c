/* conversation documents: what is registered, and what was done with it. It never copies what is in
 * a file. */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

#include "cli/confirm.h"
#include "cli/display.h"
#include "cli/document_print.h"
#include "cli/notify.h"
#include "cli/session_check.h"
#include "cli/signals.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/document.h"

#define LIMIT_DEFAULT 50
#define PAGE          1000

/* Prints at most `left` documents; `more` says whether others follow. */
static conv_status print_pages(conv_client *client, conv_document_filter *filter, int64_t left,
                               cli_document_list *list, bool *more, conv_error *error)
{
    for (*more = true; *more && left > 0;) {
        filter->limit = left < PAGE ? (size_t)left : PAGE;
        conv_document_page *page = NULL;
        conv_status status = conv_document_list(client, filter, &page, error);
        if (status != CONV_OK) return status;
        size_t count = conv_document_page_count(page);
        bool ok = true;
        for (size_t i = 0; i < count && ok; i++) {
            const conv_document *document = conv_document_page_document(page, i);
            ok = cli_document_list_add(list, document);
            filter->after_us = document->created_us;
            filter->after_id = document->document_id;
            filter->after_session_id = document->session_id;
            left--;
        }
        *more = ok && count > 0 && conv_document_page_has_more(page);
        conv_document_page_free(page);
        if (!ok) return CONV_NO_MEMORY; /* which was complained about */
    }
    return CONV_OK;
}

static cli_exit print_list(const cli_arguments *arguments, conv_client *client, cli_form form,
                           const char *sha256)
{
    bool more = false;
    bool limited = cli_given(arguments, CLI_OPTION_LIMIT);
    cli_exit code = CLI_EXIT_OK;
    conv_error error = CONV_ERROR_INIT;
    conv_document_filter filter = CONV_DOCUMENT_FILTER_INIT;
    filter.session_id = conv_text(arguments->texts[CLI_OPTION_SESSION]);
    filter.user_id = conv_text(arguments->texts[CLI_OPTION_USER]);
    filter.sha256 = sha256;
    cli_document_list *list = cli_document_list_begin(form);
    conv_status status =
        list == NULL ? CONV_NO_MEMORY
                     : print_pages(client, &filter,
                                   limited ? arguments->numbers[CLI_OPTION_LIMIT] : LIMIT_DEFAULT,
                                   list, &more, &error);
    size_t count = cli_document_list_end(list);
    if (error.status != CONV_OK)
        code = cli_report(CLI_PART_STORE, &error);
    else if (status != CONV_OK)
        code = CLI_EXIT_FAILED;
    else if (count == 0)
        cli_note("there are no such documents");
    if (more) cli_note("there are more documents: --limit N shows more of them");
    if (code == CLI_EXIT_OK && count == 0 && sha256 != NULL) code = CLI_EXIT_NOT_FOUND;
    return code;
}

static cli_exit list_documents(const cli_arguments *arguments, cli_form form, const char *sha256)
{
    conv_client *client = NULL;
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    code = cli_session_check(arguments, client, arguments->texts[CLI_OPTION_SESSION]);
    if (code == CLI_EXIT_OK) code = print_list(arguments, client, form, sha256);
    return cli_store_close(client, code);
}

/* A SHA-256, or that of the file that is named. */
static cli_exit find(const cli_arguments *arguments, cli_form form)
{
    const char *word = arguments->words[1];
    char sha256[CONV_SHA256_TEXT_SIZE];
    int64_t size = 0;
    conv_error error = CONV_ERROR_INIT;
    if (strlen(word) == CONV_SHA256_TEXT_SIZE - 1 &&
        strspn(word, "0123456789abcdefABCDEF") == CONV_SHA256_TEXT_SIZE - 1)
        return list_documents(arguments, form, word);
    if (conv_document_hash_file(word, sha256, &size, &error) != CONV_OK)
        return cli_report(CLI_PART_INPUT, &error);
    return list_documents(arguments, form, sha256);
}

static const char *media_type_of(const char *path)
{
    static const struct {
        const char *suffix;
        const char *type;
    } known[] = {
        {".csv", "text/csv"},
        {".docx", "application/vnd.openxmlformats-officedocument."
                  "wordprocessingml.document"},
        {".gif", "image/gif"},
        {".htm", "text/html"},
        {".html", "text/html"},
        {".jpeg", "image/jpeg"},
        {".jpg", "image/jpeg"},
        {".json", "application/json"},
        {".md", "text/markdown"},
        {".pdf", "application/pdf"},
        {".png", "image/png"},
        {".txt", "text/plain"},
        {".xml", "application/xml"},
    };
    const char *suffix = strrchr(path, '.');
    for (size_t i = 0; suffix != NULL && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].suffix, suffix) == 0) return known[i].type;
    return NULL;
}

typedef struct adding {
    conv_client *client;
    cli_document_list *list;
    size_t added;
    size_t repeated;
    size_t failed;
    bool stopped; /* the store answers no more, or memory is out */
} adding;

/* The failure of one file; the others go on unless it is the store's. */
static cli_exit complain(adding *self, cli_part part, const char *path, const conv_error *error)
{
    fputs("conversation: ", stderr);
    cli_display_line(stderr, conv_text(path), 0);
    fputc('\n', stderr);
    self->failed++;
    cli_exit code = cli_report(part, error);
    self->stopped = part == CLI_PART_STORE && code == CLI_EXIT_NO_CONNECTION;
    return code;
}

static cli_exit add_file(adding *self, const cli_arguments *arguments, const char *path)
{
    char sha256[CONV_SHA256_TEXT_SIZE];
    conv_error error = CONV_ERROR_INIT;
    conv_document_page *page = NULL;
    conv_document_params params = CONV_DOCUMENT_PARAMS_INIT;
    const char *id = arguments->texts[CLI_OPTION_ID];
    const char *type = arguments->texts[CLI_OPTION_MEDIA_TYPE];
    const char *slash = strrchr(path, '/');
    if (conv_document_hash_file(path, sha256, &params.size_bytes, &error) != CONV_OK)
        return complain(self, CLI_PART_INPUT, path, &error);
    params.document_id = id != NULL ? id : path;
    params.session_id = arguments->texts[CLI_OPTION_SESSION];
    params.user_id = arguments->texts[CLI_OPTION_USER];
    params.name = conv_text(slash != NULL && slash[1] != '\0' ? slash + 1 : path);
    params.media_type = conv_text(type != NULL ? type : media_type_of(path));
    params.sha256 = sha256;
    if (conv_document_register(self->client, &params, &page, &error) != CONV_OK)
        return complain(self, CLI_PART_STORE, path, &error);
    if (conv_document_page_is_repeat(page))
        self->repeated++;
    else
        self->added++;
    self->stopped = !cli_document_list_add(self->list, conv_document_page_document(page, 0));
    conv_document_page_free(page);
    return self->stopped ? CLI_EXIT_FAILED : CLI_EXIT_OK;
}

static cli_exit add(const cli_arguments *arguments, cli_form form)
{
    adding self = {.added = 0};
    cli_exit code = cli_store_open(arguments, CLI_STORE_WRITE, 1, &self.client);
    if (code != CLI_EXIT_OK) return code;
    self.list = cli_document_list_begin(form);
    if (self.list == NULL) return cli_store_close(self.client, CLI_EXIT_FAILED);
    for (size_t i = 1; i < arguments->word_count && !self.stopped && cli_signals_caught() == 0;
         i++) {
        cli_exit one = add_file(&self, arguments, arguments->words[i]);
        /* Of one file its own code; of many that some failed. */
        if (one != CLI_EXIT_OK)
            code = self.stopped || arguments->word_count == 2 ? one : CLI_EXIT_FAILED;
    }
    if (cli_signals_caught() != 0 && self.added + self.repeated < arguments->word_count - 1)
        code = cli_exit_of_signal(cli_signals_caught());
    cli_document_list_end(self.list);
    cli_note("%zu registered, %zu there already, %zu failed", self.added, self.repeated,
             self.failed);
    return cli_store_drain(arguments, self.client, code);
}

typedef struct records {
    conv_usage_page **pages;
    size_t page_count;
    const conv_usage **operations;
    size_t count;
} records;

static bool keep_page(records *self, conv_usage_page *page, const conv_document *document)
{
    size_t added = conv_usage_page_count(page);
    conv_usage_page **pages =
        realloc(self->pages, (self->page_count + 1) * sizeof(conv_usage_page *));
    if (pages == NULL) {
        conv_usage_page_free(page);
        return false;
    }
    self->pages = pages;
    self->pages[self->page_count++] = page;
    const conv_usage **operations =
        realloc(self->operations, (self->count + added + 1) * sizeof(const conv_usage *));
    if (operations == NULL) return false;
    self->operations = operations;
    for (size_t i = 0; i < added; i++) {
        const conv_usage *record = conv_usage_page_record(page, i);
        /* Another session may have a document of the same id. */
        bool is_ours =
            conv_uuid_compare(conv_uuid_ensure(record->session_id), document->session_id) == 0;
        if (is_ours) self->operations[self->count++] = record;
    }
    return true;
}

static conv_status read_records(conv_client *client, const conv_document *document, records *self,
                                conv_error *error)
{
    conv_usage_filter filter = CONV_USAGE_FILTER_INIT;
    filter.document_id = document->external_id;
    filter.session_id = document->external_session_id;
    filter.limit = PAGE;
    for (bool more = true; more;) {
        conv_usage_page *page = NULL;
        conv_status status = conv_usage_query(client, &filter, &page, error);
        if (status != CONV_OK) return status;
        size_t count = conv_usage_page_count(page);
        if (count > 0) {
            const conv_usage *last = conv_usage_page_record(page, count - 1);
            filter.after_us = last->created_us;
            filter.after_id = last->log_id;
        }
        more = count > 0 && conv_usage_page_has_more(page);
        if (!keep_page(self, page, document)) return CONV_NO_MEMORY;
    }
    return CONV_OK;
}

static void free_records(records *self)
{
    for (size_t i = 0; i < self->page_count; i++)
        conv_usage_page_free(self->pages[i]);
    free(self->pages);
    free(self->operations);
}

static cli_exit show(const cli_arguments *arguments, bool json)
{
    conv_client *client = NULL;
    conv_document_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    records read = {NULL, 0, NULL, 0};
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    conv_status status = conv_document_get(client, arguments->words[1],
                                           arguments->texts[CLI_OPTION_SESSION], &page, &error);
    if (status == CONV_OK)
        status = read_records(client, conv_document_page_document(page, 0), &read, &error);
    if (status == CONV_OK) {
        code = cli_document_print(conv_document_page_document(page, 0), read.operations, read.count,
                                  json);
    } else if (error.status == CONV_OK) {
        cli_complain("show document: out of memory");
        code = CLI_EXIT_FAILED;
    } else {
        code = cli_report(CLI_PART_STORE, &error);
    }
    free_records(&read);
    conv_document_page_free(page);
    return cli_store_close(client, code);
}

/* Looks through a store opened for reading, so that deleting from one that is not there makes none.
 */
static cli_exit look(const cli_arguments *arguments)
{
    conv_client *client = NULL;
    conv_document_page *page = NULL;
    conv_error error = CONV_ERROR_INIT;
    cli_exit code = cli_store_open(arguments, CLI_STORE_READ, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    if (conv_document_get(client, arguments->words[1], arguments->texts[CLI_OPTION_SESSION], &page,
                          &error) != CONV_OK)
        code = cli_report(CLI_PART_STORE, &error);
    conv_document_page_free(page);
    return cli_store_close(client, code);
}

static cli_exit print_receipt(const conv_document_receipt *receipt, bool json)
{
    if (!json) {
        printf("deleted %lld document; %lld usage records kept\n", (long long)receipt->documents,
               (long long)receipt->usage_kept);
        return CLI_EXIT_OK;
    }
    json_t *value = json_object();
    bool failed = false;
    cli_json_add(value, &failed, "documents", json_integer(receipt->documents));
    cli_json_add(value, &failed, "usage_kept", json_integer(receipt->usage_kept));
    return cli_json_print(stdout, value, failed) ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static cli_exit delete_document(const cli_arguments *arguments, bool json)
{
    conv_client *client = NULL;
    conv_error error = CONV_ERROR_INIT;
    conv_document_receipt receipt = {0, 0};
    cli_exit code = look(arguments);
    if (code != CLI_EXIT_OK) return code;
    if (!cli_given(arguments, CLI_OPTION_YES)) {
        fputs("delete document ", stderr);
        cli_display_line(stderr, conv_text(arguments->words[1]), 60);
        fputc('?', stderr);
        if (!cli_confirmed()) {
            cli_note("nothing was deleted");
            return CLI_EXIT_FAILED;
        }
    }
    code = cli_store_open(arguments, CLI_STORE_WRITE, 1, &client);
    if (code != CLI_EXIT_OK) return code;
    if (conv_document_delete(client, arguments->words[1], arguments->texts[CLI_OPTION_SESSION],
                             &receipt, &error) == CONV_OK)
        code = print_receipt(&receipt, json);
    else
        code = cli_report(CLI_PART_STORE, &error);
    return cli_store_drain(arguments, client, code);
}

static bool has_control_characters(const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) return true;
    return false;
}

/* What is wrong with the texts that add takes; NULL: nothing. */
static const char *problem_of_texts(const char *media_type)
{
    if (media_type != NULL && has_control_characters(media_type))
        return "--media-type has control characters";
    return NULL;
}

/* What is wrong about the words and options, or NULL. */
static const char *problem_of(const cli_arguments *arguments, const char *what, cli_form form)
{
    bool is_list = strcmp(what, "list") == 0;
    bool is_add = strcmp(what, "add") == 0;
    bool is_delete = strcmp(what, "delete") == 0;
    bool is_show = strcmp(what, "show") == 0;
    if (!is_list && !is_add && !is_delete && !is_show && strcmp(what, "find") != 0)
        return "it is list, show, add, find or delete";
    if (is_list && arguments->word_count > 1) return "list takes no further word";
    if (is_add && arguments->word_count < 2) return "add wants a file";
    if (!is_list && !is_add && arguments->word_count != 2)
        return "this wants one id, or one hash or file to find";
    if ((is_show || is_delete) && (form == CLI_FORM_JSONL || form == CLI_FORM_CSV))
        return "this prints a table or --json";
    if (!is_add &&
        (cli_given(arguments, CLI_OPTION_ID) || cli_given(arguments, CLI_OPTION_MEDIA_TYPE)))
        return "--id and --media-type are for add";
    if (!is_add && !is_delete && cli_given(arguments, CLI_OPTION_JOURNAL))
        return "--journal is for add and delete";
    if (!is_add && !is_delete && cli_notify_given(arguments))
        return "--notify is for add and delete";
    if (cli_given(arguments, CLI_OPTION_ID) && arguments->word_count > 2)
        return "--id is for one file";
    if (is_delete && !cli_given(arguments, CLI_OPTION_YES) && !cli_is_terminal(stdin))
        return "nobody can be asked here: add --yes";
    return problem_of_texts(arguments->texts[CLI_OPTION_MEDIA_TYPE]);
}

cli_exit cli_documents(const cli_arguments *arguments)
{
    const char *what = arguments->word_count > 0 ? arguments->words[0] : "list";
    cli_form form;
    if (!cli_form_of(arguments, &form)) return CLI_EXIT_USAGE;
    const char *problem = problem_of(arguments, what, form);
    if (problem != NULL) {
        cli_complain("documents: %s", problem);
        cli_hint("`conversation help documents` shows how");
        return CLI_EXIT_USAGE;
    }
    if (strcmp(what, "add") == 0) return add(arguments, form);
    if (strcmp(what, "find") == 0) return find(arguments, form);
    if (strcmp(what, "show") == 0) return show(arguments, form == CLI_FORM_JSON);
    if (strcmp(what, "delete") == 0) return delete_document(arguments, form == CLI_FORM_JSON);
    return list_documents(arguments, form, NULL);
}
