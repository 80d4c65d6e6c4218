/* A journal is known by cells of its pages that no other file has at such a place: the schema's own
 * rows on the first page, and the rows of the migrations, which have a page of their own. So no
 * damage of one page hides them all, and neither does a log that holds all of it. */
#include "repositories/sqlite/journal_signs.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "db/migration.h"
#include "db/sqlite/first_pages.h"
#include "db/sqlite/log_repair.h"

enum {
    PAGE = CONV__SQLITE_PAGE_SIZE,
    PAGES = 4,       /* the first ones; the migrations' rows are on the second */
    LEAF = 0x0D,     /* of a table */
    COUNT_AT = 3,    /* in a page's header */
    POINTERS_AT = 8, /* behind it */
    CELL_HEAD = 32,  /* what stands in a cell before its first text takes less */
    ROOT_MOST = 4    /* bytes of a root page's number, between the names and the SQL */
};

/* The schema's rows as they stand in a cell: kind, name and table, a page number, the SQL. */
static const struct sign {
    const char *names;
    const char *sql;
} signs[] = {
    {"tablejournaljournal",
     "CREATE TABLE journal (\n    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,\n    kind TEXT"},
    {"indexidx_journal_itemjournal",
     "CREATE UNIQUE INDEX idx_journal_item ON journal (item_id, session_id"},
    {"indexidx_journal_kindjournal", "CREATE INDEX idx_journal_kind ON journal (kind, entry_id"},
};

static size_t number(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

static bool stands_at(const uint8_t *page, size_t at, const char *text)
{
    size_t size = strlen(text);
    return at + size <= PAGE && memcmp(page + at, text, size) == 0;
}

static bool is_of_schema(const uint8_t *page, size_t at)
{
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (!stands_at(page, at, signs[i].names)) continue;
        size_t behind = at + strlen(signs[i].names);
        for (size_t root = 1; root <= ROOT_MOST; root++)
            if (stands_at(page, behind + root, signs[i].sql)) return true;
    }
    return false;
}

static bool is_of_migration(const uint8_t *page, size_t at)
{
    for (const conv__migration *one = conv__migrations_journal; one->version != 0; one++)
        if (stands_at(page, at, one->name) &&
            stands_at(page, at + strlen(one->name), one->checksum))
            return true;
    return false;
}

static bool has_sign(const uint8_t *page, size_t header)
{
    size_t count = page[header] == LEAF ? number(page + header + COUNT_AT) : 0;
    for (size_t i = 0; i < count && header + POINTERS_AT + 2 * i + 2 <= PAGE; i++) {
        size_t cell = number(page + header + POINTERS_AT + 2 * i);
        for (size_t at = cell; at < cell + CELL_HEAD; at++)
            if (is_of_schema(page, at) || is_of_migration(page, at)) return true;
    }
    return false;
}

static bool is_page_of_ours(const uint8_t *page, size_t size)
{
    return size == PAGE && (has_sign(page, CONV__SQLITE_HEADER_SIZE) || has_sign(page, 0));
}

/* As a power cut leaves a file just made. */
static bool is_nothing(const uint8_t *page, int64_t size)
{
    for (size_t i = 0; i < PAGE; i++)
        if (page[i] != 0) return false;
    return size <= PAGE;
}

static conv__journal_look judge(const uint8_t *pages, int64_t size, const char *path)
{
    static const char magic[] = "SQLite format 3";
    bool ours = conv__sqlite_log_has_page(path, is_page_of_ours);
    for (size_t i = 0; !ours && i < PAGES; i++)
        ours = is_page_of_ours(pages + i * PAGE, PAGE);
    if (ours || is_nothing(pages, size)) return CONV__JOURNAL_LOOK_OURS;
    if (memcmp(pages, magic, sizeof magic) != 0) return CONV__JOURNAL_LOOK_FOREIGN;
    const uint8_t *schema = pages + CONV__SQLITE_HEADER_SIZE;
    bool empty = schema[0] == LEAF && number(schema + COUNT_AT) == 0;
    return empty && !conv__sqlite_log_has_transaction(path) ? CONV__JOURNAL_LOOK_OURS
                                                            : CONV__JOURNAL_LOOK_DATABASE;
}

conv_status conv__sqlite_journal_look(const char *path, conv__journal_look *look, conv_error *error)
{
    uint8_t pages[PAGES * PAGE];
    struct stat file;
    int64_t size = 0;
    *look = CONV__JOURNAL_LOOK_OURS;
    if (stat(path, &file) != 0) return CONV_OK;
    if (!S_ISREG(file.st_mode)) *look = CONV__JOURNAL_LOOK_FOREIGN;
    if (!S_ISREG(file.st_mode) || file.st_size == 0) return CONV_OK;
    conv_status status = conv__sqlite_read_start(path, pages, sizeof pages, &size, error);
    if (status == CONV_OK) *look = judge(pages, size, path);
    return status;
}
