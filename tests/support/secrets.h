/* What must not be kept: the e-mail addresses, user ids, means of payment, booking codes, dates of
 * birth and names of persons in recorded conversations, and looking for them in any bytes. It knows
 * nothing of how the library redacts, and shares no code with it. */
#ifndef TESTS_SUPPORT_SECRETS_H
#define TESTS_SUPPORT_SECRETS_H

#include <stddef.h>

typedef enum secret_kind {
    SECRET_EMAIL,
    SECRET_USER,
    SECRET_PAYMENT,
    SECRET_BOOKING,
    SECRET_BIRTH,
    SECRET_NAME,
    SECRET_KINDS
} secret_kind;

/* Notes the secrets of a text. */
void secrets_collect(const char *text);

/* Before the first search; nothing may be collected after it. */
void secrets_seal(void);

/* Notes of a kind: how often they occurred, and how many different ones. */
size_t secrets_occurred(secret_kind kind);
size_t secrets_count(secret_kind kind);
const char *secrets_text(secret_kind kind, size_t index);
const char *secrets_kind_name(secret_kind kind);

/* The first of them in a text, or NULL; a name counts as a word of its own, the others anywhere.
 * From any thread. */
const char *secrets_find(const char *text, size_t size);

/* The same in bytes of any kind, among which a name of fewer than five letters is found by chance.
 */
const char *secrets_find_in_bytes(const char *bytes, size_t size);

void secrets_forget(void);

#endif
