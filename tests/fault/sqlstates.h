/* What is documented for each SQLSTATE of the table of faults: what the caller of a save hears. */
#ifndef TESTS_FAULT_SQLSTATES_H
#define TESTS_FAULT_SQLSTATES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum sqlstate_action {
    SQLSTATE_AGAIN, /* the same again at once */
    SQLSTATE_PAUSE, /* after a pause */
    SQLSTATE_KEEP,  /* until the store, or a person, has changed something */
    SQLSTATE_REFUSE /* give it back */
} sqlstate_action;

typedef struct sqlstate_rule {
    const char *sqlstate; /* NULL: none is told */
    sqlstate_action wanted;
    bool fatal; /* said as the connection ends */
    const char *constraint;
    const char *message;
} sqlstate_rule;

extern const sqlstate_rule sqlstate_rules[];
extern const size_t sqlstate_rule_count;

/* Of the codes that are given back, each once, one by its number from 0; NULL: there are no more.
 */
const char *sqlstate_refused(size_t number);

/* Whether the fault may be that of one row among several, which are then tried apart. */
bool sqlstate_is_of_row(const char *sqlstate, sqlstate_action wanted);

#endif
