#include "oci/compress.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/compress_backend.h"

#define GZIP_LEVEL_MAX 9
#define ZSTD_LEVEL_MAX 22

static int plain_write(struct sink *sink, const void *data, size_t len, struct error *err)
{
	return sink_write(((struct compressor *)sink)->next, data, len, err);
}

static int plain_close(struct sink *sink, struct error *err)
{
	return sink_close(((struct compressor *)sink)->next, err);
}

static void plain_release(struct compressor *c)
{
	free(c);
}

static struct compressor *plain_new(struct sink *next)
{
	struct compressor *c = xmalloc(sizeof(*c));

	*c = (struct compressor){
		.sink = {.write = plain_write, .close = plain_close},
		.next = next,
		.release = plain_release,
	};
	return c;
}

static int level_check(enum compression kind, int level, struct error *err)
{
	int max = kind == COMPRESSION_GZIP ? GZIP_LEVEL_MAX : ZSTD_LEVEL_MAX;

	if (kind == COMPRESSION_NONE || (level >= 0 && level <= max))
		return 0;
	return error_set(err, ERROR_USAGE, "compression level %d of %s is not within 1 to %d",
			 level, kind == COMPRESSION_GZIP ? "gzip" : "zstd", max);
}

int compressor_new(struct compressor **out, enum compression kind, int level, struct pool *pool,
		   struct sink *next, struct error *err)
{
	if (level_check(kind, level, err) < 0)
		return -1;
	switch (kind) {
	case COMPRESSION_NONE:
		*out = plain_new(next);
		return 0;
	case COMPRESSION_GZIP:
		*out = compress_gzip_new(level, pool, next);
		return 0;
	case COMPRESSION_ZSTD:
		return compress_zstd_new(out, level, next, err);
	}
	return error_set(err, ERROR_UNSUPPORTED, "compression kind %d is not known", (int)kind);
}

struct sink *compressor_sink(struct compressor *c)
{
	return &c->sink;
}

void compressor_free(struct compressor *c)
{
	if (c)
		c->release(c);
}

/* "6" or "19": one or two digits, nothing else; -1 when it is not that. */
static int level_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 2 || text[digits])
		return -1;
	return (int)strtol(text, NULL, 10);
}

int compression_parse(const char *text, enum compression *kind, int *level, struct error *err)
{
	static const struct {
		const char *name, *prefix; /* prefix: what stands before a level */
		enum compression kind;
	} names[] = {
		{"gzip", "gzip:zlib-", COMPRESSION_GZIP},
		{"zstd", "zstd:", COMPRESSION_ZSTD},
		{"none", NULL, COMPRESSION_NONE},
		{"uncompressed", NULL, COMPRESSION_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int given = 0;

		if (names[i].prefix && str_starts(text, names[i].prefix))
			given = level_number(text + strlen(names[i].prefix));
		else if (strcmp(text, names[i].name) != 0)
			continue;
		if (given == -1 || (given == 0 && strcmp(text, names[i].name) != 0))
			break;
		if (level_check(names[i].kind, given, err) < 0)
			return -1;
		*kind = names[i].kind;
		*level = given;
		return 0;
	}
	return error_set(err, ERROR_USAGE,
			 "unknown compression \"%s\"; use gzip, gzip:zlib-1 .. gzip:zlib-9, zstd, "
			 "zstd:1 .. zstd:22 or none",
			 text);
}
