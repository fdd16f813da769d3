/* Which names of a tar archive a layer may have, and what those with ".wh." mean (image-spec 1.1, layer.md, whiteouts). */
#pragma once

#include "base/strbuf.h"

/*
 * Appends raw as struct entry wants it: without leading "/" and "./", doubled slashes and "." components; "" for the
 * root. Returns NULL, or why it is refused: "..", nothing, too long.
 */
const char *layer_name_clean(struct strbuf *out, const char *raw);

enum layer_mark {
	LAYER_MARK_NONE,
	LAYER_MARK_WHITEOUT, /* path is now what it hides */
	LAYER_MARK_OPAQUE,   /* path is now the folder */
	LAYER_MARK_SKIP,     /* bookkeeping of AUFS: no entry of the layer */
};
/* Looks for ".wh." in a clean path. Returns NULL, or why it is refused. */
const char *layer_name_mark(struct strbuf *path, enum layer_mark *mark);
