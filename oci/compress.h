/*
 * Compression of layers: gzip written in parallel as one member (RFC 1952), zstd, none; and reading of all
 * three. The bytes depend only on input, kind, level and library version, never on the number of threads.
 * gzip: 1 MiB blocks, each primed with the 32 KiB before it, joined by sync flush; header with no name and
 * no time. Level 0 means the default engine (ISA-L level 1), 1..9 zlib's levels. Only oci/compress*.c
 * include zlib, ISA-L and zstd.
 */
#pragma once

#include <stdbool.h>

#include "base/pool.h"
#include "base/sink.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD };

struct compressor; /* a sink that hands compressed bytes to next */
/* pool NULL: in this thread. At most 2 x threads blocks are in flight. */
int compressor_new(struct compressor **out, enum compression kind, int level, struct pool *pool,
		   struct sink *next, struct error *err);
struct sink *compressor_sink(struct compressor *c); /* close it to flush; closes next */
void compressor_free(struct compressor *c);

struct decompressor; /* a source that recognises gzip (several members too), zstd (frames too) or plain bytes */
/*
 * max_bytes: uncompressed limit (LIMIT_LAYER_BYTES); the ratio limit of base/limits.h also holds: ERROR_CORRUPT
 * "decompression bomb". After the end only zero bytes may follow. Prefers ISA-L inflate, zlib when forced.
 */
int decompressor_new(struct decompressor **out, struct source *in, int64_t max_bytes,
		     struct error *err);
struct source *decompressor_source(struct decompressor *d);
enum compression decompressor_kind(const struct decompressor *d); /* known after the first read */
void decompressor_free(struct decompressor *d);
/* "gzip", "gzip:zlib-6", "zstd", "zstd:19", "none"/"uncompressed" -> kind and level. ERROR_USAGE. */
int compression_parse(const char *text, enum compression *kind, int *level, struct error *err);
extern bool compress_force_zlib; /* tests: inflate by zlib */

CLEANUP_FREE(compressor)
CLEANUP_FREE(decompressor)
