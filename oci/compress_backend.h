/*
 * What the files of oci/compress share and nobody else includes: a compressor is a sink with a way to be freed,
 * a decoder turns one kind of compressed bytes into plain ones.
 */
#pragma once

#include "oci/compress.h"

struct compressor {
	struct sink sink;
	struct sink *next;
	void (*release)(struct compressor *c); /* frees all but next */
};

struct compressor *compress_gzip_new(int level, struct pool *pool, struct sink *next);
int compress_zstd_new(struct compressor **out, int level, struct sink *next, struct error *err);

/*
 * Raw deflate (RFC 1951) of one block, primed with the bytes before it. The result ends at a byte boundary, so that
 * blocks made apart join; it is never longer than the block in stored form. It depends on level, dictionary and
 * bytes alone.
 */
struct deflater;
struct deflater *deflater_new(int level); /* 0: ISA-L level 1; 1..9: zlib */
void deflater_free(struct deflater *d);
/* Room that any block of len bytes fits into. */
size_t deflater_bound(size_t len);
/* in[-dict_len] .. in[-1] are the dictionary (at most 32 KiB). Returns the bytes written to out. */
size_t deflater_block(struct deflater *d, uint8_t *in, size_t dict_len, size_t len, bool last,
		      uint8_t *out);
uint32_t deflate_crc32(const uint8_t *data, size_t len);
uint32_t deflate_crc32_join(uint32_t first, uint32_t second, uint64_t second_len);

struct span {
	uint8_t *in; /* moved on by what was consumed */
	size_t in_len;
	uint8_t *out; /* moved on by what was produced */
	size_t out_len;
};
struct decoder {
	/* 1: a gzip member or zstd frame ended, 0: wants more input or more room, -1: error. */
	int (*decode)(struct decoder *d, struct span *io, struct error *err);
	void (*restart)(struct decoder *d); /* for the next member or frame */
	void (*release)(struct decoder *d);
};
struct decoder *decoder_gzip_isal(void);
struct decoder *decoder_gzip_zlib(void);
int decoder_zstd_new(struct decoder **out, struct error *err);

CLEANUP_FREE(deflater)
