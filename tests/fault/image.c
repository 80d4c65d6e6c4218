/* See image.h. */
#include "fault/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conversation/conversation.h"
#include "fault/content.h"

enum { SECTOR = 512 };

static void die(const char *what)
{
    perror(what);
    exit(99);
}

static file_image *find_file(image *all, const char *name)
{
    for (int i = 0; i < all->count; i++)
        if (strcmp(all->files[i].name, name) == 0) return &all->files[i];
    if (all->count == IMAGE_FILES) die("too many files");
    file_image *one = &all->files[all->count++];
    snprintf(one->name, sizeof one->name, "%s", name);
    return one;
}

static void resize(file_image *file, size_t size)
{
    if (size > file->capacity || file->bytes == NULL) {
        file->capacity = 2 * size + (1 << 20);
        file->bytes = realloc(file->bytes, file->capacity);
        if (file->bytes == NULL) die("memory");
    }
    if (size > file->size) memset(file->bytes + file->size, 0, size - file->size);
    file->size = size;
}

void image_apply(image *all, const disk_operation *one, size_t size)
{
    file_image *file = find_file(all, one->name);
    size_t end = (size_t)one->offset + size;
    file->gone = one->what == DISK_REMOVE;
    if (file->gone) {
        resize(file, 0);
    } else if (one->what == DISK_TRUNCATE) {
        resize(file, (size_t)one->offset);
    } else if (one->what == DISK_WRITE && size > 0) {
        if (end > file->size) resize(file, end);
        memcpy(file->bytes + one->offset, one->data, size);
    }
}

/* Whether the call was synced before the crash. */
static bool is_durable(const disk_operation *operations, size_t index, size_t crash)
{
    for (size_t i = index + 1; i < crash; i++) {
        if (strcmp(operations[i].name, operations[index].name) != 0) continue;
        if (operations[i].what == DISK_SYNC) return true;
        if (operations[i].what == DISK_FAILED_SYNC) return false;
    }
    return false;
}

static bool has_name(const disk_operation *sync, const char *name)
{
    char line[sizeof sync->name + 2];
    int size = snprintf(line, sizeof line, "\n%s\n", name);
    return sync != NULL && memmem(sync->data, sync->size, line, (size_t)size) != NULL;
}

/* A file is lost with its name, which only the folder's sync makes durable. */
static void lose_names(image *all, const disk_operation *operations, size_t crash, uint64_t *random)
{
    const disk_operation *last = NULL;
    for (size_t i = 0; i < crash; i++)
        if (operations[i].what == DISK_SYNC && strcmp(operations[i].name, DISK_FOLDER) == 0)
            last = &operations[i];
    for (int i = 0; i < all->count; i++)
        if (!has_name(last, all->files[i].name) &&
            (random == NULL || fault_random(random) % 4 == 0))
            all->files[i].gone = true;
}

void image_build(image *all, const disk_operation *operations, size_t crash, uint64_t *random)
{
    for (size_t i = 0; i < crash; i++) {
        const disk_operation *one = &operations[i];
        if (one->what == DISK_MARK || one->what == DISK_SYNC || one->what == DISK_FAILED_SYNC)
            continue;
        size_t size = one->size;
        if (one->what == DISK_WRITE && !is_durable(operations, i, crash)) {
            if (random == NULL) continue;
            uint64_t chance = fault_random(random) % 4;
            if (chance == 0) continue;
            if (chance == 1)
                size = size / SECTOR == 0 ? 0 : SECTOR * (fault_random(random) % (size / SECTOR));
        }
        image_apply(all, one, size);
    }
    lose_names(all, operations, crash, random);
}

void image_write(const image *all, const char *path)
{
    char name[192];
    for (int i = 0; i < all->count; i++) {
        if (all->files[i].gone) continue;
        snprintf(name, sizeof name, "%s%s", path, all->files[i].name);
        FILE *file = fopen(name, "wb");
        size_t size = all->files[i].size;
        if (file == NULL || (size > 0 && fwrite(all->files[i].bytes, 1, size, file) != size))
            die(name);
        fclose(file);
    }
}

void image_free(image *all)
{
    for (int i = 0; i < all->count; i++)
        free(all->files[i].bytes);
    *all = (image){0};
}

static bool is_text(const conv_message *message, const fault_turn *turn, bool reply)
{
    char *wanted = fault_text(turn, reply);
    bool same = conv_bytes_equal(message->content, conv_text(wanted));
    free(wanted);
    return same;
}

/* An exchange with its texts, some of them, or others. */
static void look_at_exchange(const conv_journal_entry *entry, image_found *result)
{
    fault_turn turn = {0};
    bool reply = false;
    bool known = entry->message_count > 0 && entry->messages[0].content.data != NULL &&
                 fault_read_text(entry->messages[0].content.data, &turn, &reply) &&
                 turn.turn < IMAGE_TURNS;
    if (entry->message_count < 2 || (known && reply)) {
        result->half++;
    } else if (!known || entry->message_count > 2 || !is_text(&entry->messages[0], &turn, false) ||
               !is_text(&entry->messages[1], &turn, true)) {
        result->wrong++;
    } else {
        result->doubled += result->there[turn.turn];
        result->there[turn.turn] = true;
    }
}

static void look_at(const conv_journal_entry *entry, image_found *result)
{
    fault_turn turn = {0};
    bool reply = false;
    if (!entry->readable) {
        result->unreadable++;
    } else if (entry->kind == CONV_JOURNAL_TURN) {
        return; /* its exchange was never acknowledged */
    } else if (entry->kind == CONV_JOURNAL_EXCHANGE) {
        look_at_exchange(entry, result);
    } else if (entry->kind == CONV_JOURNAL_USAGE && entry->usage->operation.data != NULL &&
               fault_read_text(entry->usage->operation.data, &turn, &reply) &&
               turn.turn < IMAGE_TURNS) {
        result->doubled += result->tracked[turn.turn];
        result->tracked[turn.turn] = true;
    } else {
        result->wrong++;
    }
}

void image_read(const char *path, image_found *result)
{
    conv_journal *journal = NULL;
    conv_error error;
    conv_journal_filter filter = CONV_JOURNAL_FILTER_INIT;
    *result = (image_found){0};
    if (access(path, F_OK) != 0) return;
    conv_status status = conv_journal_open(path, &journal, &error);
    if (status != CONV_OK) {
        fprintf(stderr, "violation: an image can't be opened: %s\n", error.message);
        result->wrong++;
        return;
    }
    result->set_aside = conv_journal_set_aside(journal) != NULL;
    for (bool more = true; more;) {
        conv_journal_page *page = NULL;
        if (conv_journal_list(journal, &filter, &page, &error) != CONV_OK) die(error.message);
        for (size_t i = 0; i < conv_journal_page_count(page); i++) {
            const conv_journal_entry *entry = conv_journal_page_entry(page, i);
            look_at(entry, result);
            filter.after_id = entry->entry_id;
        }
        more = conv_journal_page_has_more(page);
        conv_journal_page_free(page);
    }
    conv_journal_close(journal);
}

file_image *image_file(image *all, const char *ending)
{
    return find_file(all, ending);
}
