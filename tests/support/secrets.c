#include "support/secrets.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Enough for each that is no name, to be told apart by its beginning. */
enum { BEGINNING = 6, BUCKETS = 1 << 16, SHORTEST_NAME_IN_BYTES = 5 };

typedef struct secret {
    char *text;
    size_t size;
    struct secret *next; /* with the same hash of the beginning */
} secret;

static struct {
    secret *items;
    size_t count;
    size_t capacity;
    size_t occurred;
} kinds[SECRET_KINDS];

static secret *buckets[BUCKETS];

static void note(secret_kind kind, const char *text, size_t size)
{
    kinds[kind].occurred++;
    for (size_t i = 0; i < kinds[kind].count; i++)
        if (kinds[kind].items[i].size == size && memcmp(kinds[kind].items[i].text, text, size) == 0)
            return;
    if (kinds[kind].count == kinds[kind].capacity) {
        kinds[kind].capacity = kinds[kind].capacity * 2 + 16;
        kinds[kind].items =
            realloc(kinds[kind].items, kinds[kind].capacity * sizeof *kinds[kind].items);
    }
    kinds[kind].items[kinds[kind].count++] = (secret){strndup(text, size), size, NULL};
}

static bool is_word(char byte)
{
    return isalnum((unsigned char)byte) != 0 || byte == '_';
}

/* How many of the bytes, from the first, are of a class. */
static size_t run(const char *bytes, size_t size, int (*belongs)(int))
{
    size_t count = 0;
    while (count < size && belongs((unsigned char)bytes[count]) != 0)
        count++;
    return count;
}

static bool is_booking(const char *word, size_t size)
{
    size_t digits = 0;
    size_t letters = 0;
    for (size_t i = 0; i < size; i++) {
        digits += isdigit((unsigned char)word[i]) != 0;
        letters += isupper((unsigned char)word[i]) != 0;
    }
    return size == 6 && digits > 0 && letters > 0 && digits + letters == size;
}

/* first_last_1234 */
static bool is_user(const char *word, size_t size)
{
    size_t first = run(word, size, islower);
    if (first == 0 || first == size || word[first] != '_') return false;
    size_t last = run(word + first + 1, size - first - 1, islower);
    size_t used = first + last + 2;
    return last > 0 && size == used + 4 && word[used - 1] == '_' &&
           run(word + used, 4, isdigit) == 4;
}

static bool is_payment(const char *word, size_t size)
{
    static const char *const beginnings[] = {"credit_card_", "gift_card_", "certificate_"};
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t length = strlen(beginnings[i]);
        if (size > length && memcmp(word, beginnings[i], length) == 0 &&
            run(word + length, size - length, isdigit) == size - length)
            return true;
    }
    return false;
}

static void collect_words(const char *text)
{
    for (const char *at = text; *at != '\0';) {
        const char *word = at;
        while (is_word(*at))
            at++;
        size_t size = (size_t)(at - word);
        if (is_booking(word, size)) note(SECRET_BOOKING, word, size);
        if (is_user(word, size)) note(SECRET_USER, word, size);
        if (is_payment(word, size)) note(SECRET_PAYMENT, word, size);
        if (size == 4 && memcmp(word, "19", 2) == 0 && run(word, 4, isdigit) == 4 && at[0] == '-' &&
            run(at + 1, strnlen(at + 1, 2), isdigit) == 2 && at[3] == '-' &&
            run(at + 4, strnlen(at + 4, 2), isdigit) == 2)
            note(SECRET_BIRTH, word, 10);
        if (*at != '\0' && size == 0) at++;
    }
}

static bool is_address(char byte)
{
    return isalnum((unsigned char)byte) != 0 || strchr("._%+-", byte) != NULL;
}

static void collect_emails(const char *text)
{
    for (const char *at = strchr(text, '@'); at != NULL; at = strchr(at + 1, '@')) {
        const char *begin = at;
        const char *end = at + 1;
        while (begin > text && is_address(begin[-1]))
            begin--;
        while (isalnum((unsigned char)*end) || *end == '-' ||
               (*end == '.' && isalnum((unsigned char)end[1])))
            end++;
        if (begin < at && memchr(at, '.', (size_t)(end - at)) != NULL)
            note(SECRET_EMAIL, begin, (size_t)(end - begin));
    }
}

/* The values of "first_name" and "last_name" in JSON. */
static void collect_names(const char *text)
{
    static const char *const keys[] = {"first_name\"", "last_name\""};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        for (const char *at = strstr(text, keys[i]); at != NULL; at = strstr(at, keys[i])) {
            at += strlen(keys[i]);
            at += strspn(at, ": ");
            if (*at != '"') continue;
            size_t size = strcspn(++at, "\"\\");
            if (size > 1 && run(at, size, isalpha) == size) note(SECRET_NAME, at, size);
        }
    }
}

void secrets_collect(const char *text)
{
    collect_words(text);
    collect_emails(text);
    collect_names(text);
}

static size_t hash(const char *bytes)
{
    uint64_t beginning = 0;
    memcpy(&beginning, bytes, BEGINNING);
    return (size_t)((beginning * UINT64_C(0x9E3779B97F4A7C15)) >> 48);
}

static int compare(const void *left, const void *right)
{
    return strcmp(((const secret *)left)->text, ((const secret *)right)->text);
}

void secrets_seal(void)
{
    for (int kind = 0; kind < SECRET_NAME; kind++) {
        for (size_t i = 0; i < kinds[kind].count; i++) {
            secret *item = &kinds[kind].items[i];
            item->next = buckets[hash(item->text)];
            buckets[hash(item->text)] = item;
        }
    }
    if (kinds[SECRET_NAME].count > 0)
        qsort(kinds[SECRET_NAME].items, kinds[SECRET_NAME].count, sizeof(secret), compare);
}

size_t secrets_occurred(secret_kind kind)
{
    return kinds[kind].occurred;
}

size_t secrets_count(secret_kind kind)
{
    return kinds[kind].count;
}

const char *secrets_text(secret_kind kind, size_t index)
{
    return kinds[kind].items[index].text;
}

const char *secrets_kind_name(secret_kind kind)
{
    static const char *const names[] = {"e-mail addresses", "user ids",       "means of payment",
                                        "booking codes",    "dates of birth", "names"};
    return names[kind];
}

static const char *find_name(const char *word, size_t size)
{
    char text[32];
    if (size >= sizeof text || kinds[SECRET_NAME].count == 0) return NULL;
    memcpy(text, word, size);
    text[size] = '\0';
    const secret key = {text, size, NULL};
    const secret *found =
        bsearch(&key, kinds[SECRET_NAME].items, kinds[SECRET_NAME].count, sizeof(secret), compare);
    return found != NULL ? found->text : NULL;
}

static const char *find_here(const char *bytes, size_t left)
{
    if (left < BEGINNING) return NULL;
    for (const secret *item = buckets[hash(bytes)]; item != NULL; item = item->next)
        if (item->size <= left && memcmp(item->text, bytes, item->size) == 0) return item->text;
    return NULL;
}

static const char *find(const char *bytes, size_t size, size_t least)
{
    size_t word = 0; /* where the word under way began */
    for (size_t i = 0; i <= size; i++) {
        if (i == size || !is_word(bytes[i])) {
            const char *name = i >= word + least ? find_name(bytes + word, i - word) : NULL;
            if (name != NULL) return name;
            word = i + 1;
        }
        const char *found = i < size ? find_here(bytes + i, size - i) : NULL;
        if (found != NULL) return found;
    }
    return NULL;
}

const char *secrets_find(const char *text, size_t size)
{
    return find(text, size, 1);
}

const char *secrets_find_in_bytes(const char *bytes, size_t size)
{
    return find(bytes, size, SHORTEST_NAME_IN_BYTES);
}

void secrets_forget(void)
{
    memset(buckets, 0, sizeof buckets);
    for (int kind = 0; kind < SECRET_KINDS; kind++) {
        for (size_t i = 0; i < kinds[kind].count; i++)
            free(kinds[kind].items[i].text);
        free(kinds[kind].items);
    }
    memset(kinds, 0, sizeof kinds);
}
