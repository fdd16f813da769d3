#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "oci/compress_backend.h"

#define BLOCK_BYTES ((size_t)1 << 20) /* part of the format: other sizes give other bytes */
#define DICT_BYTES  ((size_t)32 << 10)
/* 2 x threads blocks of 2.1 MiB each: a cap keeps a machine of many cores within memory. */
#define BLOCKS_MAX 16

enum block_state { BLOCK_IDLE, BLOCK_QUEUED, BLOCK_DONE };

struct gzip;
struct block {
	struct gzip *owner;
	uint8_t *in; /* DICT_BYTES for the end of the block before, then BLOCK_BYTES */
	uint8_t *out;
	size_t dict_len, len, out_len;
	bool last;
	uint32_t crc;
	enum block_state state; /* under the lock */
};

struct gzip {
	struct compressor base;
	int level;
	struct pool *pool; /* NULL: this thread does all */
	struct group group;
	bool group_started;
	struct block *blocks;
	size_t n_blocks;
	uint64_t head; /* number of the block being filled; the caller's alone */

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t moved;
	uint64_t tail; /* number of the next block to write */
	bool writing;  /* somebody hands blocks to the next sink */
	bool header_written;
	struct deflater *idle[BLOCKS_MAX];
	size_t n_idle;
	struct error err; /* the first error of the next sink */

	uint32_t crc; /* of what was written; whoever is writing owns them */
	uint64_t total;
};

static struct block *block_at(struct gzip *g, uint64_t number)
{
	return &g->blocks[number % g->n_blocks];
}

static int keep_error(const struct gzip *g, struct error *err)
{
	error_set(err, g->err.kind, "%s", g->err.message);
	if (err)
		err->number = g->err.number;
	return -1;
}

static void block_compress(struct gzip *g, struct block *b)
{
	struct deflater *d = NULL;
	uint8_t *data = b->in + DICT_BYTES;

	pthread_mutex_lock(&g->lock);
	if (g->n_idle)
		d = g->idle[--g->n_idle];
	pthread_mutex_unlock(&g->lock);
	if (!d)
		d = deflater_new(g->level);
	if (!b->out)
		b->out = xmalloc(deflater_bound(BLOCK_BYTES));
	b->out_len = deflater_block(d, data, b->dict_len, b->len, b->last, b->out);
	b->crc = deflate_crc32(data, b->len);
	pthread_mutex_lock(&g->lock);
	g->idle[g->n_idle++] = d;
	pthread_mutex_unlock(&g->lock);
}

static int block_write(struct gzip *g, const struct block *b, struct error *err)
{
	/* RFC 1952 2.3: deflate, no flags, no time, no extra flags, unknown operating system. */
	static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};

	if (!g->header_written && sink_write(g->base.next, header, sizeof(header), err) < 0)
		return -1;
	g->header_written = true;
	g->crc = deflate_crc32_join(g->crc, b->crc, b->len);
	g->total += b->len;
	return sink_write(g->base.next, b->out, b->out_len, err);
}

/* Writes the blocks whose turn it is. One thread at a time, others leave their block to it. Called with the lock held. */
static void write_ready(struct gzip *g)
{
	if (g->writing)
		return;
	g->writing = true;
	while (block_at(g, g->tail)->state == BLOCK_DONE) {
		struct block *b = block_at(g, g->tail);
		bool failed = g->err.kind != ERROR_NONE;

		if (!failed) {
			AUTO(error) err = ERROR_INIT;

			pthread_mutex_unlock(&g->lock);
			failed = block_write(g, b, &err) < 0;
			pthread_mutex_lock(&g->lock);
			if (failed)
				error_move(&g->err, &err);
		}
		b->state = BLOCK_IDLE;
		g->tail++;
		pthread_cond_broadcast(&g->moved);
	}
	g->writing = false;
}

static int block_job(void *arg, struct error *err)
{
	struct block *b = arg;
	struct gzip *g = b->owner;

	(void)err;
	block_compress(g, b);
	pthread_mutex_lock(&g->lock);
	b->state = BLOCK_DONE;
	write_ready(g);
	pthread_mutex_unlock(&g->lock);
	return 0;
}

static void submit(struct gzip *g, struct block *b)
{
	/* A stream of one block is not worth waking a thread. */
	if (!g->pool || (b->last && g->head == 0)) {
		block_job(b, NULL);
		return;
	}
	if (!g->group_started)
		group_init(&g->group, g->pool);
	g->group_started = true;
	pthread_mutex_lock(&g->lock);
	b->state = BLOCK_QUEUED;
	pthread_mutex_unlock(&g->lock);
	group_run(&g->group, block_job, b);
}

/* Waits until at most max blocks are under way. */
static int wait_for(struct gzip *g, uint64_t submitted, uint64_t max, struct error *err)
{
	int result = 0;

	pthread_mutex_lock(&g->lock);
	while (submitted - g->tail > max)
		pthread_cond_wait(&g->moved, &g->lock);
	if (g->err.kind != ERROR_NONE)
		result = keep_error(g, err);
	pthread_mutex_unlock(&g->lock);
	return result;
}

static int next_block(struct gzip *g, struct error *err)
{
	struct block *full = block_at(g, g->head), *b;

	submit(g, full);
	g->head++;
	if (wait_for(g, g->head, g->n_blocks - 1, err) < 0)
		return -1;
	b = block_at(g, g->head);
	if (!b->in)
		b->in = xmalloc(DICT_BYTES + BLOCK_BYTES);
	/* The full block is only read by its worker, and its buffer is not filled again before this one went out. */
	memcpy(b->in, full->in + BLOCK_BYTES, DICT_BYTES);
	b->dict_len = DICT_BYTES;
	b->len = 0;
	return 0;
}

static int gzip_write(struct sink *sink, const void *data, size_t len, struct error *err)
{
	struct gzip *g = (struct gzip *)sink;
	const uint8_t *from = data;

	while (len) {
		struct block *b = block_at(g, g->head);
		size_t n;

		/* A full block waits for one more byte, because the last block ends the stream. */
		if (b->len == BLOCK_BYTES) {
			if (next_block(g, err) < 0)
				return -1;
			b = block_at(g, g->head);
		}
		n = len < BLOCK_BYTES - b->len ? len : BLOCK_BYTES - b->len;
		memcpy(b->in + DICT_BYTES + b->len, from, n);
		b->len += n;
		from += n;
		len -= n;
	}
	return 0;
}

static void little_endian(uint8_t out[4], uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (8 * i));
}

static int gzip_finish(struct gzip *g, struct error *err)
{
	struct block *b = block_at(g, g->head);
	uint8_t trailer[8];

	if (g->base.sink.failed)
		return wait_for(g, g->head, 0, err);
	b->last = true;
	submit(g, b);
	g->head++;
	if (wait_for(g, g->head, 0, err) < 0)
		return -1;
	little_endian(trailer, g->crc);
	little_endian(trailer + 4, (uint32_t)g->total);
	return sink_write(g->base.next, trailer, sizeof(trailer), err);
}

static int gzip_close(struct sink *sink, struct error *err)
{
	struct gzip *g = (struct gzip *)sink;
	int result = gzip_finish(g, err);

	/* The sinks below are closed after an error too; that error is the one to tell. */
	if (sink_close(g->base.next, result < 0 ? NULL : err) < 0)
		result = -1;
	return result;
}

static void gzip_release(struct compressor *c)
{
	struct gzip *g = (struct gzip *)c;

	if (g->group_started)
		group_wait(&g->group, NULL);
	while (g->n_idle)
		deflater_free(g->idle[--g->n_idle]);
	for (size_t i = 0; i < g->n_blocks; i++) {
		free(g->blocks[i].in);
		free(g->blocks[i].out);
	}
	free(g->blocks);
	pthread_cond_destroy(&g->moved);
	pthread_mutex_destroy(&g->lock);
	error_release(&g->err);
	free(g);
}

static size_t blocks_in_flight(const struct pool *pool)
{
	size_t n = pool ? 2 * pool_threads(pool) : 0;

	if (n < 2)
		return 2; /* one to fill, one to take the dictionary from */
	return n < BLOCKS_MAX ? n : BLOCKS_MAX;
}

struct compressor *compress_gzip_new(int level, struct pool *pool, struct sink *next)
{
	struct gzip *g = xcalloc(1, sizeof(*g));

	g->base = (struct compressor){
		.sink = {.write = gzip_write, .close = gzip_close},
		.next = next,
		.release = gzip_release,
	};
	g->level = level;
	g->pool = pool;
	g->n_blocks = blocks_in_flight(pool);
	g->blocks = xcalloc(g->n_blocks, sizeof(*g->blocks));
	for (size_t i = 0; i < g->n_blocks; i++)
		g->blocks[i].owner = g;
	g->blocks[0].in = xmalloc(DICT_BYTES + BLOCK_BYTES);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->moved, NULL);
	return &g->base;
}
