/* The page of a load's report, as tools/page/embed.py has put it into the program: what stands
 * before the JSON document and what stands behind it. */
#ifndef TOOLS_BLAST_PAGE_H
#define TOOLS_BLAST_PAGE_H

#include "base/span.h"

extern const struct span blast_page_head, blast_page_tail;

#endif
