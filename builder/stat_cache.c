#include "builder/stat_cache.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

#define MAGIC       "slipway stat 2\n"
#define HEADER_SIZE 16
#define RACY_NS     2000000000
#define MANY        20000 /* a megabyte of new records */

/*
 * 200,000 files must fit beside everything else, so a record has no fields but the digest and two hashes. The seal proves
 * the file, its state and the digest: a flipped bit is a miss.
 */
struct record {
	uint64_t file; /* of device and inode; the lowest bit: racy */
	uint64_t seal;
	uint8_t digest[SHA256_SIZE];
};

#define RACY 1u

struct stat_cache {
	pthread_mutex_t lock;
	char *path; /* NULL: this run only */
	void *map;
	size_t map_len;
	const struct record *old; /* sorted by file */
	size_t n_old, n_used;
	bool *used;
	struct record *fresh; /* of this run, in the order they came */
	size_t n_fresh, cap_fresh;
	uint32_t *slots; /* open addressing by file: index + 1 into fresh */
	size_t n_slots;
};

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return h ^ h >> 29;
}

static uint64_t file_of(const struct stat *st)
{
	return mix(mix(0, st->st_dev), st->st_ino) & ~(uint64_t)RACY;
}

static uint64_t mix_time(uint64_t h, const struct timespec *t)
{
	return mix(mix(h, (uint64_t)t->tv_sec), (uint64_t)t->tv_nsec);
}

static uint64_t seal_of(const struct stat *st, const uint8_t digest[SHA256_SIZE])
{
	uint64_t h = mix(mix(mix(mix(1, st->st_dev), st->st_ino), (uint64_t)st->st_size),
			 st->st_mode);

	h = mix_time(mix_time(h, &st->st_mtim), &st->st_ctim);
	for (size_t i = 0; i < SHA256_SIZE; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, digest + i, sizeof(word));
		h = mix(h, word);
	}
	return h;
}

static void map_file(struct stat_cache *c)
{
	AUTO_FD int fd = open(c->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < HEADER_SIZE ||
	    (size_t)(st.st_size - HEADER_SIZE) % sizeof(struct record) != 0)
		return;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	c->map = map;
	c->map_len = (size_t)st.st_size;
	if (memcmp(map, MAGIC, sizeof(MAGIC)) != 0)
		return;
	c->old = (const struct record *)(const void *)((const char *)map + HEADER_SIZE);
	c->n_old = ((size_t)st.st_size - HEADER_SIZE) / sizeof(struct record);
	c->used = xcalloc(c->n_old + 1, sizeof(*c->used));
}

int stat_cache_open(struct stat_cache **out, struct store *s, const char *key, struct error *err)
{
	struct stat_cache *c = xcalloc(1, sizeof(*c));
	uint8_t raw[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	pthread_mutex_init(&c->lock, NULL);
	if (key) {
		AUTO_FREE char *dir = store_path(s, "cache/stat");

		sha256_buf(key, strlen(key), raw);
		sha256_hex(raw, hex);
		c->path = xstrfmt("%s/%s", dir, hex);
		map_file(c);
		if (!c->map && fs_mkdir_p(dir, 0700, err) < 0) {
			stat_cache_free(c);
			return -1;
		}
	}
	*out = c;
	return 0;
}

static int compare_file(uint64_t a, uint64_t b)
{
	a |= RACY;
	b |= RACY;
	return a == b ? 0 : a < b ? -1 : 1;
}

static int compare_records(const void *a, const void *b)
{
	return compare_file(((const struct record *)a)->file, ((const struct record *)b)->file);
}

static bool is_racy(const struct timespec *t, int64_t hashed_at_ns)
{
	int64_t seconds = hashed_at_ns / 1000000000;

	if (t->tv_sec < seconds - 3 || t->tv_sec > seconds)
		return t->tv_sec > seconds;
	return hashed_at_ns - (t->tv_sec * 1000000000 + t->tv_nsec) < RACY_NS;
}

static size_t slot_of(const struct stat_cache *c, uint64_t file)
{
	size_t i = (size_t)(file >> 8) & (c->n_slots - 1);

	while (c->slots[i] && compare_file(c->fresh[c->slots[i] - 1].file, file) != 0)
		i = (i + 1) & (c->n_slots - 1);
	return i;
}

static const struct record *find_fresh(const struct stat_cache *c, uint64_t file)
{
	size_t i = c->n_slots ? slot_of(c, file) : 0;

	return c->n_slots && c->slots[i] ? &c->fresh[c->slots[i] - 1] : NULL;
}

static const struct record *find_old(struct stat_cache *c, uint64_t file)
{
	const struct record want = {.file = file};
	const struct record *found = c->n_old ? bsearch(&want, c->old, c->n_old, sizeof(want),
							compare_records)
					      : NULL;

	if (found && !c->used[found - c->old]) {
		c->used[found - c->old] = true;
		c->n_used++;
	}
	return found;
}

bool stat_cache_find(struct stat_cache *c, const struct stat *st, uint8_t digest[SHA256_SIZE],
		     bool *settled)
{
	uint64_t file = file_of(st);
	const struct record *r;
	bool found;

	pthread_mutex_lock(&c->lock);
	r = find_fresh(c, file);
	if (!r)
		r = find_old(c, file);
	found = r && r->seal == seal_of(st, r->digest);
	if (found) {
		memcpy(digest, r->digest, SHA256_SIZE);
		*settled = !(r->file & RACY);
	}
	pthread_mutex_unlock(&c->lock);
	return found;
}

bool stat_cache_get(struct stat_cache *c, const struct stat *st, uint8_t digest[SHA256_SIZE])
{
	bool settled;

	return stat_cache_find(c, st, digest, &settled);
}

static void fill_slots(struct stat_cache *c, size_t n_slots)
{
	c->n_slots = n_slots;
	free(c->slots);
	c->slots = xcalloc(c->n_slots, sizeof(*c->slots));
	for (size_t i = 0; i < c->n_fresh; i++)
		c->slots[slot_of(c, c->fresh[i].file)] = (uint32_t)i + 1;
}

static void put(struct stat_cache *c, const struct record *r)
{
	size_t i;

	if (c->n_fresh * 2 >= c->n_slots)
		fill_slots(c, c->n_slots ? c->n_slots * 2 : 1024);
	i = slot_of(c, r->file);
	if (c->slots[i]) {
		c->fresh[c->slots[i] - 1] = *r;
	} else {
		GROW(c->fresh, c->n_fresh + 1, c->cap_fresh);
		c->fresh[c->n_fresh++] = *r;
		c->slots[i] = (uint32_t)c->n_fresh;
	}
}

void stat_cache_put(struct stat_cache *c, const struct stat *st, int64_t hashed_at_ns,
		    const uint8_t digest[SHA256_SIZE])
{
	struct record r = {.file = file_of(st), .seal = seal_of(st, digest)};

	if (is_racy(&st->st_mtim, hashed_at_ns) || is_racy(&st->st_ctim, hashed_at_ns))
		r.file |= RACY;
	memcpy(r.digest, digest, SHA256_SIZE);
	pthread_mutex_lock(&c->lock);
	put(c, &r);
	pthread_mutex_unlock(&c->lock);
}

struct output {
	int fd;
	const char *name;
	struct record block[256];
	size_t n;
};

static int flush(struct output *o)
{
	size_t n = o->n;

	o->n = 0;
	return fs_write_all(o->fd, o->block, n * sizeof(*o->block), o->name, NULL);
}

static int add(struct output *o, const struct record *r)
{
	if (r->file & RACY)
		return 0;
	o->block[o->n++] = *r;
	return o->n == ARRAY_SIZE(o->block) ? flush(o) : 0;
}

/*
 * Old entries and new ones, merged in order. Entries that this run did not see stay, for other Dockerfiles of the same
 * context, as long as they are not the greater part.
 */
static int write_merged(const struct stat_cache *c, int fd)
{
	struct output o = {.fd = fd, .name = c->path};
	bool keep_unused = c->n_old - c->n_used <= c->n_used + c->n_fresh;
	size_t i = 0, k = 0;

	if (fs_write_all(fd, MAGIC, HEADER_SIZE, c->path, NULL) < 0)
		return -1;
	while (i < c->n_old || k < c->n_fresh) {
		int order = i >= c->n_old     ? 1
			    : k >= c->n_fresh ? -1
					      : compare_records(&c->old[i], &c->fresh[k]);
		bool keep = order >= 0 || c->used[i] || keep_unused;

		if (keep && add(&o, order < 0 ? &c->old[i] : &c->fresh[k]) < 0)
			return -1;
		i += order <= 0;
		k += order >= 0;
	}
	return flush(&o);
}

/* Not synced: after a power loss the file may be damaged, which its length and the seals show. */
static bool save(struct stat_cache *c)
{
	AUTO_FREE char *temp = xstrfmt("%s.XXXXXX", c->path);
	AUTO_FD int fd = mkostemp(temp, O_CLOEXEC);

	if (fd < 0)
		return false;
	qsort(c->fresh, c->n_fresh, sizeof(*c->fresh), compare_records);
	if (write_merged(c, fd) == 0 && rename(temp, c->path) == 0)
		return true;
	unlink(temp);
	return false;
}

static void unmap(struct stat_cache *c)
{
	if (c->map)
		munmap(c->map, c->map_len);
	free(c->used);
	c->map = NULL;
	c->old = NULL;
	c->used = NULL;
	c->n_old = c->n_used = 0;
}

/* What is new goes into the file, and is found there; only what serves this run alone stays here. */
static void settle(struct stat_cache *c)
{
	struct record *fresh = c->fresh;
	size_t n = c->n_fresh;

	free(c->slots);
	c->slots = NULL;
	c->n_slots = 0;
	c->fresh = NULL;
	c->n_fresh = c->cap_fresh = 0;
	unmap(c);
	map_file(c);
	for (size_t i = 0; i < c->n_old; i++)
		c->used[i] = true;
	c->n_used = c->n_old;
	for (size_t i = 0; i < n; i++)
		if (fresh[i].file & RACY)
			put(c, &fresh[i]);
	free(fresh);
	malloc_trim(0);
}

static bool has_many_new(const struct stat_cache *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_fresh; i++)
		n += !(c->fresh[i].file & RACY);
	return n >= MANY;
}

void stat_cache_rest(struct stat_cache *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->path && has_many_new(c)) {
		if (save(c))
			settle(c);
		else
			fill_slots(c, c->n_slots); /* they have been sorted */
	}
	if (c->map)
		madvise(c->map, c->map_len, MADV_DONTNEED);
	pthread_mutex_unlock(&c->lock);
}

void stat_cache_free(struct stat_cache *c)
{
	if (!c)
		return;
	if (c->path && c->n_fresh)
		save(c);
	unmap(c);
	free(c->fresh);
	free(c->slots);
	free(c->path);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
