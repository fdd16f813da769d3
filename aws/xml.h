/*
 * The XML that AWS's query services answer with: elements and text; attributes and comments are passed over, a document
 * type (and with it every entity but the five of XML 1.0 and character references) is refused. Reads a whole answer in
 * memory, keeps no tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

enum xml_kind { XML_OPEN, XML_CLOSE, XML_TEXT };

struct xml_reader {
	const char *at, *end;
	const char *what;   /* names the document in messages */
	struct strbuf path; /* "ErrorResponse/Error/Code": the open elements */
	struct strbuf text; /* of XML_TEXT, decoded */
	bool close_again;   /* behind <name/> */
	bool leaving;       /* the innermost element was closed */
	bool started;
};

/* The text must outlive the reader. */
void xml_reader_init(struct xml_reader *x, const char *text, size_t len, const char *what);
void xml_reader_release(struct xml_reader *x);
/*
 * 1 with *kind (and path: with the element for XML_OPEN and XML_TEXT, still with it for XML_CLOSE), 0 at the end, -1:
 * ERROR_CORRUPT. Name spaces are cut off names. Text of blanks alone is passed over.
 */
int xml_next(struct xml_reader *x, enum xml_kind *kind, struct error *err);

/* The text of the first element with that path; *found false when there is none. */
int xml_find(const char *text, size_t len, const char *what, const char *path, struct strbuf *out,
	     bool *found, struct error *err);

CLEANUP_RELEASE(xml_reader)
