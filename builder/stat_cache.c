#include "builder/stat_cache.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"

#define MAGIC   "slipway stat 1\n"
#define RACY_NS 2000000000

struct record {
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns, hashed_at_ns;
	uint32_t mode;
	uint32_t check; /* of all other fields: a flipped bit must not become a wrong digest */
	uint8_t digest[SHA256_SIZE];
};

struct stat_cache {
	pthread_mutex_t lock;
	char *path; /* NULL: this run only */
	void *map;
	size_t map_len;
	const struct record *old; /* sorted by device and inode */
	size_t n_old;
	bool *used;
	struct record *fresh; /* of this run, in the order they came */
	size_t n_fresh, cap_fresh;
	uint32_t *slots; /* open addressing by device and inode: index + 1 into fresh */
	size_t n_slots;
};

static uint32_t checksum(const struct record *r)
{
	struct record copy = *r;
	const unsigned char *p = (const unsigned char *)&copy;
	uint64_t h = 0xcbf29ce484222325ull;

	copy.check = 0;
	for (size_t i = 0; i < sizeof(copy); i += 8) {
		uint64_t word;

		memcpy(&word, p + i, 8);
		h = (h ^ word) * 0x100000001b3ull;
		h ^= h >> 29;
	}
	return (uint32_t)(h ^ (h >> 32));
}

static void map_file(struct stat_cache *c)
{
	AUTO_FD int fd = open(c->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 16 ||
	    (size_t)(st.st_size - 16) % sizeof(struct record) != 0)
		return;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return;
	c->map = map;
	c->map_len = (size_t)st.st_size;
	if (memcmp(map, MAGIC, sizeof(MAGIC)) != 0)
		return;
	c->old = (const struct record *)(const void *)((const char *)map + 16);
	c->n_old = ((size_t)st.st_size - 16) / sizeof(struct record);
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

static struct record record_of(const struct stat *st)
{
	return (struct record){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mode = st->st_mode,
		.mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.ctime_ns = st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

static int compare_file(const struct record *a, const struct record *b)
{
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return a->ino == b->ino ? 0 : a->ino < b->ino ? -1 : 1;
}

static int compare_records(const void *a, const void *b)
{
	return compare_file(a, b);
}

static bool same_state(const struct record *a, const struct record *b)
{
	return compare_file(a, b) == 0 && a->size == b->size && a->mode == b->mode &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static bool is_racy(const struct record *r)
{
	return r->hashed_at_ns - r->mtime_ns < RACY_NS || r->hashed_at_ns - r->ctime_ns < RACY_NS;
}

static size_t slot_of(const struct stat_cache *c, const struct record *r)
{
	uint64_t h = (r->ino ^ (r->dev << 32)) * 0x9e3779b97f4a7c15ull;
	size_t i = (size_t)(h >> 20) & (c->n_slots - 1);

	while (c->slots[i] && compare_file(&c->fresh[c->slots[i] - 1], r) != 0)
		i = (i + 1) & (c->n_slots - 1);
	return i;
}

static bool get_fresh(struct stat_cache *c, const struct record *want, uint8_t *digest)
{
	const struct record *found;
	size_t i;

	if (!c->n_slots)
		return false;
	i = slot_of(c, want);
	if (!c->slots[i])
		return false;
	found = &c->fresh[c->slots[i] - 1];
	if (!same_state(found, want))
		return false;
	memcpy(digest, found->digest, SHA256_SIZE);
	return true;
}

static bool get_old(struct stat_cache *c, const struct record *want, uint8_t *digest)
{
	const struct record *found = c->n_old ? bsearch(want, c->old, c->n_old, sizeof(*want),
							compare_records)
					      : NULL;

	if (!found || !same_state(found, want) || is_racy(found) || found->check != checksum(found))
		return false;
	c->used[found - c->old] = true;
	memcpy(digest, found->digest, SHA256_SIZE);
	return true;
}

bool stat_cache_get(struct stat_cache *c, const struct stat *st, uint8_t digest[SHA256_SIZE])
{
	struct record want = record_of(st);
	bool found;

	pthread_mutex_lock(&c->lock);
	found = get_fresh(c, &want, digest) || get_old(c, &want, digest);
	pthread_mutex_unlock(&c->lock);
	return found;
}

static void grow_slots(struct stat_cache *c)
{
	if (c->n_fresh * 2 < c->n_slots)
		return;
	c->n_slots = c->n_slots ? c->n_slots * 2 : 1024;
	free(c->slots);
	c->slots = xcalloc(c->n_slots, sizeof(*c->slots));
	for (size_t i = 0; i < c->n_fresh; i++)
		c->slots[slot_of(c, &c->fresh[i])] = (uint32_t)i + 1;
}

void stat_cache_put(struct stat_cache *c, const struct stat *st, int64_t hashed_at_ns,
		    const uint8_t digest[SHA256_SIZE])
{
	struct record r = record_of(st);
	size_t i;

	r.hashed_at_ns = hashed_at_ns;
	memcpy(r.digest, digest, SHA256_SIZE);
	r.check = checksum(&r);
	pthread_mutex_lock(&c->lock);
	grow_slots(c);
	i = slot_of(c, &r);
	if (c->slots[i]) {
		c->fresh[c->slots[i] - 1] = r;
	} else {
		GROW(c->fresh, c->n_fresh + 1, c->cap_fresh);
		c->fresh[c->n_fresh++] = r;
		c->slots[i] = (uint32_t)c->n_fresh;
	}
	pthread_mutex_unlock(&c->lock);
}

static int write_records(int fd, const struct record *r, size_t n, const char *name)
{
	return fs_write_all(fd, r, n * sizeof(*r), name, NULL);
}

/* Old entries that this run used and new ones, merged in order. */
static int write_merged(const struct stat_cache *c, int fd)
{
	size_t i = 0, k = 0;
	struct record block[256];
	size_t n = 0;

	if (fs_write_all(fd, MAGIC, 16, c->path, NULL) < 0)
		return -1;
	while (i < c->n_old || k < c->n_fresh) {
		int order = i >= c->n_old     ? 1
			    : k >= c->n_fresh ? -1
					      : compare_file(&c->old[i], &c->fresh[k]);

		if (order < 0) {
			if (c->used[i])
				block[n++] = c->old[i];
			i++;
		} else {
			block[n++] = c->fresh[k++];
			i += order == 0;
		}
		if (n == ARRAY_SIZE(block)) {
			if (write_records(fd, block, n, c->path) < 0)
				return -1;
			n = 0;
		}
	}
	return write_records(fd, block, n, c->path);
}

/* Not synced: after a power loss the file may be damaged, which the length and checksums show. */
static void save(struct stat_cache *c)
{
	AUTO_FREE char *temp = xstrfmt("%s.XXXXXX", c->path);
	AUTO_FD int fd = mkostemp(temp, O_CLOEXEC);

	if (fd < 0)
		return;
	qsort(c->fresh, c->n_fresh, sizeof(*c->fresh), compare_records);
	if (write_merged(c, fd) < 0 || rename(temp, c->path) < 0)
		unlink(temp);
}

void stat_cache_free(struct stat_cache *c)
{
	if (!c)
		return;
	if (c->path && c->n_fresh)
		save(c);
	if (c->map)
		munmap(c->map, c->map_len);
	free(c->used);
	free(c->fresh);
	free(c->slots);
	free(c->path);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
