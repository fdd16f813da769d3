#include "oci/layer_name.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

#define PREFIX       ".wh."
#define PREFIX_BYTES 4
#define META_PREFIX  ".wh..wh."

const char *layer_name_clean(struct strbuf *out, const char *raw)
{
	if (!raw || !*raw)
		return "an empty name";
	while (*raw) {
		size_t len = strcspn(raw, "/");

		if (len == 2 && raw[0] == '.' && raw[1] == '.')
			return "an unsafe path with \"..\"";
		if (len && !(len == 1 && raw[0] == '.')) {
			if (out->len)
				strbuf_putc(out, '/');
			strbuf_add(out, raw, len);
		}
		if (out->len > LIMIT_PATH_BYTES)
			return "a path longer than 4096 bytes";
		raw += len;
		raw += *raw == '/';
	}
	return NULL;
}

/* The first component that begins with ".wh.", or NULL. */
static char *find_marked(struct strbuf *path)
{
	for (char *at = path->buf; *at;) {
		if (str_starts(at, PREFIX))
			return at;
		at += strcspn(at, "/");
		at += *at == '/';
	}
	return NULL;
}

static bool is_aufs(const char *name, size_t len)
{
	static const char *const names[] = {".wh..wh.plnk", ".wh..wh.aufs", ".wh..wh.orph"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (len == strlen(names[i]) && memcmp(name, names[i], len) == 0)
			return true;
	return false;
}

const char *layer_name_mark(struct strbuf *path, enum layer_mark *mark)
{
	char *name = find_marked(path);
	size_t at, len;

	*mark = LAYER_MARK_NONE;
	if (!name)
		return NULL;
	at = (size_t)(name - path->buf);
	len = strcspn(name, "/");
	if (is_aufs(name, len)) {
		*mark = LAYER_MARK_SKIP;
		return NULL;
	}
	if (name[len])
		return "a path below a whiteout";
	if (strcmp(name, META_PREFIX ".opq") == 0) {
		*mark = LAYER_MARK_OPAQUE;
		strbuf_truncate(path, at ? at - 1 : 0);
		return NULL;
	}
	if (str_starts(name, META_PREFIX))
		return "a whiteout of a kind that nobody defined";
	name += PREFIX_BYTES;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return "a whiteout of nothing, \".\" or \"..\"";
	strbuf_remove(path, at, PREFIX_BYTES);
	*mark = LAYER_MARK_WHITEOUT;
	return NULL;
}
