/* The words of a query, and where they stand in a text. Pure: knows neither store nor client. */
#ifndef CONV__SERVICES_WORDS_H
#define CONV__SERVICES_WORDS_H

#include "core/memory.h"
#include "repositories/search.h"

/* Takes a query apart (see conv_search_params): terms that hold a letter or digit each, at most
 * CONV__WORDS_TERMS; what follows them is left out. Any bytes are allowed. CONV_NO_MEMORY. */
enum { CONV__WORDS_TERMS = 64 };
CONV_WARN_UNUSED conv_status conv__words_parse(conv__arena *arena, conv_bytes query,
                                               conv__search_term **terms, size_t *count);

/* Cuts the snippet of a hit out of its text: in one line, around the first of the terms that is
 * found as it is spelled, capitals and small letters of ASCII aside. CONV_NO_MEMORY. */
CONV_WARN_UNUSED conv_status conv__words_snippet(conv__arena *arena, conv_bytes text,
                                                 const conv__search_term *terms, size_t count,
                                                 conv_search_hit *hit);

#endif
