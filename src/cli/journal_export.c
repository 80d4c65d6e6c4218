/* conversation journal export: what was said and is in the journal, a session a line. It must not
 * hold more than one entry's messages. */
#include "cli/journal.h"

#include <stdlib.h>

#include "cli/format.h"
#include "cli/output_file.h"
#include "cli/store.h"
#include "cli/terminal.h"
#include "conversation/transcript.h"
#include "conversation/uuid.h"

typedef struct place {
    conv_uuid session_id;
    int64_t entry_id;
    int64_t first_id; /* of the session's entries */
} place;

typedef struct exporter {
    conv_journal *journal;
    cli_output_file output;
    place *places;
    size_t count;
    size_t capacity;
    int64_t sessions;
    int64_t without; /* usage records, and what can't be read */
    conv_error error;
} exporter;

static bool add(exporter *self, const conv_journal_entry *entry)
{
    if (entry->message_count == 0) {
        self->without++;
        return true;
    }
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 256 : 2 * self->capacity;
        place *grown = realloc(self->places, capacity * sizeof *grown);
        if (grown == NULL) return false;
        self->places = grown;
        self->capacity = capacity;
    }
    self->places[self->count++] =
        (place){.session_id = conv_uuid_ensure(entry->session_id), .entry_id = entry->entry_id};
    return true;
}

static cli_exit out_of_memory(void)
{
    cli_complain("export journal: out of memory");
    return CLI_EXIT_FAILED;
}

static cli_exit read_places(exporter *self)
{
    conv_journal_filter filter = CONV_JOURNAL_FILTER_INIT;
    for (bool more = true; more;) {
        conv_journal_page *page = NULL;
        if (conv_journal_list(self->journal, &filter, &page, &self->error) != CONV_OK)
            return cli_report(CLI_PART_JOURNAL, &self->error);
        bool kept = true;
        for (size_t i = 0; kept && i < conv_journal_page_count(page); i++) {
            const conv_journal_entry *entry = conv_journal_page_entry(page, i);
            filter.after_id = entry->entry_id;
            kept = add(self, entry);
        }
        more = conv_journal_page_has_more(page);
        conv_journal_page_free(page);
        if (!kept) return out_of_memory();
    }
    return CLI_EXIT_OK;
}

static int by_session(const void *left, const void *right)
{
    const place *a = left;
    const place *b = right;
    int order = conv_uuid_compare(a->session_id, b->session_id);
    if (order != 0) return order;
    return a->entry_id < b->entry_id ? -1 : 1;
}

static int by_age(const void *left, const void *right)
{
    const place *a = left;
    const place *b = right;
    if (a->first_id != b->first_id) return a->first_id < b->first_id ? -1 : 1;
    return a->entry_id < b->entry_id ? -1 : 1;
}

/* Sessions together, the oldest first, and each in order. */
static void sort(exporter *self)
{
    if (self->count == 0) return;
    qsort(self->places, self->count, sizeof *self->places, by_session);
    for (size_t i = 0; i < self->count; i++) {
        place *one = &self->places[i];
        bool same = i > 0 && conv_uuid_compare(one->session_id, one[-1].session_id) == 0;
        one->first_id = same ? one[-1].first_id : one->entry_id;
    }
    qsort(self->places, self->count, sizeof *self->places, by_age);
}

static conv_status write_opening(exporter *self, const place *last, const conv_journal_entry *first)
{
    conv_journal_page *page = NULL;
    conv_status status = conv_journal_get(self->journal, last->entry_id, &page, &self->error);
    if (status != CONV_OK) return status;
    const conv_usage *usage = conv_journal_page_entry(page, 0)->usage;
    conv_bytes model = usage != NULL ? usage->model : conv_text(NULL);
    status = conv_transcript_write_begin(self->output.file, first->session_id, first->user_id,
                                         model, &self->error);
    conv_journal_page_free(page);
    return status;
}

/* The session that begins at `start`; gives where it ends. */
static conv_status write_session(exporter *self, size_t start, size_t *end)
{
    conv_status status = CONV_OK;
    const place *places = self->places;
    bool first = true;
    for (*end = start; *end < self->count && places[*end].first_id == places[start].first_id;)
        ++*end;
    for (size_t i = start; status == CONV_OK && i < *end; i++) {
        conv_journal_page *page = NULL;
        status = conv_journal_get(self->journal, places[i].entry_id, &page, &self->error);
        if (status != CONV_OK) break;
        const conv_journal_entry *entry = conv_journal_page_entry(page, 0);
        if (i == start) status = write_opening(self, &places[*end - 1], entry);
        for (size_t k = 0; status == CONV_OK && k < entry->message_count; k++, first = false)
            status = conv_transcript_write_message(self->output.file, &entry->messages[k], first,
                                                   &self->error);
        conv_journal_page_free(page);
    }
    if (status == CONV_OK) status = conv_transcript_write_end(self->output.file, &self->error);
    if (status == CONV_OK) self->sessions++;
    return status;
}

static cli_exit write_all(exporter *self, const char *path)
{
    char text[CLI_FORMAT_SIZE];
    conv_status status = CONV_OK;
    for (size_t i = 0; status == CONV_OK && i < self->count;)
        status = write_session(self, i, &i);
    if (status != CONV_OK) {
        bool reading = ferror(self->output.file) == 0;
        bool to_file = self->output.file != stdout;
        if (!reading && to_file) cli_complain("write %s: %s", path, self->error.message);
        cli_output_file_abandon(&self->output);
        return reading ? cli_report(CLI_PART_JOURNAL, &self->error) : CLI_EXIT_FAILED;
    }
    bool to_file = self->output.file != stdout;
    if (!cli_output_file_commit(&self->output)) return CLI_EXIT_FAILED;
    cli_format_count(self->sessions, text);
    if (to_file) cli_note("%s %s exported", text, self->sessions == 1 ? "session" : "sessions");
    cli_format_count(self->without, text);
    if (self->without > 0)
        cli_note("%s without messages left out; `conversation journal list` shows them", text);
    return CLI_EXIT_OK;
}

cli_exit cli_journal_export(const cli_arguments *arguments, conv_journal *journal)
{
    exporter self = {.journal = journal, .error = CONV_ERROR_INIT};
    const char *path = arguments->texts[CLI_OPTION_OUTPUT];
    cli_exit code = read_places(&self);
    sort(&self);
    if (code == CLI_EXIT_OK)
        code = cli_output_file_open(&self.output, path) ? write_all(&self, path) : CLI_EXIT_FAILED;
    free(self.places);
    return code;
}
