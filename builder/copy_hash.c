#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "builder/copy_source.h"

/* What a cache key sees of the sources. Never: mtimes, owners in a context, absolute paths. */
struct hashing {
	const struct copy_request *r;
	struct sha256 *h;     /* may be NULL */
	struct strbuf *lines; /* may be NULL */
	const struct copy_match *match;
};

static void frame_xattrs(struct sha256 *h, const struct entry *e)
{
	sha256_frame_int(h, (int64_t)e->n_xattrs);
	for (size_t i = 0; i < e->n_xattrs; i++) {
		sha256_frame_str(h, e->xattrs[i].name);
		sha256_frame(h, e->xattrs[i].value, e->xattrs[i].len);
	}
}

/* The folder whose contents are copied is not copied itself: nothing of it matters. */
static bool is_left(const struct hashing *g, const struct copy_item *item)
{
	return !*item->rel && item->e.type == ENTRY_DIR && !copy_match_keeps_folder(g->match);
}

static int hash_item(const struct hashing *g, const struct copy_item *item, struct sha256 *h,
		     struct error *err)
{
	const struct entry *e = &item->e;
	const struct copy_request *r = g->r;
	const struct copy_instruction *c = &r->instruction->copy;
	bool mode_counts = e->type != ENTRY_SYMLINK && !(c->chmod.given && c->chmod.octal);
	uint8_t digest[SHA256_SIZE];

	sha256_frame_str(h, item->rel);
	sha256_frame_int(h, (int64_t)e->type);
	sha256_frame_int(h, mode_counts ? (int64_t)e->mode : -1);
	if (r->from) {
		sha256_frame_int(h, c->chown ? -1 : (int64_t)e->uid);
		sha256_frame_int(h, c->chown ? -1 : (int64_t)e->gid);
		frame_xattrs(h, e);
	}
	sha256_frame_str(h, e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
		sha256_frame_int(h, (int64_t)e->dev_major);
		sha256_frame_int(h, (int64_t)e->dev_minor);
	}
	if (e->type != ENTRY_FILE)
		return 0;
	if (copy_item_digest(r, item, digest, err) < 0)
		return -1;
	sha256_frame(h, digest, sizeof(digest));
	return 0;
}

/* The start of the digest tells changes apart, and there may be very many lines. */
static void add_line(struct hashing *g, const char *path, const char *hex)
{
	if (!g->lines)
		return;
	strbuf_add_printable(g->lines, path, strlen(path), false);
	strbuf_printf(g->lines, " %.16s\n", hex);
}

static int visit_hash(void *arg, const struct copy_item *item, struct error *err)
{
	struct hashing *g = arg;
	AUTO(sha256) one = SHA256_INIT;
	char hex[SHA256_HEX_SIZE];

	if (is_left(g, item))
		return 0;
	if (g->h && hash_item(g, item, g->h, err) < 0)
		return -1;
	if (!g->lines)
		return 0;
	if (hash_item(g, item, &one, err) < 0)
		return -1;
	sha256_final_hex(&one, hex);
	add_line(g, item->path, hex);
	return 0;
}

/* A download or heredoc: its bytes. */
static int hash_bytes(struct hashing *g, const char *name, const void *data, size_t len)
{
	char hex[SHA256_HEX_SIZE];
	uint8_t raw[SHA256_SIZE];

	sha256_buf(data, len, raw);
	if (g->h) {
		sha256_frame_str(g->h, name);
		sha256_frame(g->h, raw, sizeof(raw));
	}
	sha256_hex(raw, hex);
	add_line(g, name, hex);
	return 0;
}

static int hash_fetched(struct hashing *g, const char *url, const char *file, struct error *err)
{
	AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
	AUTO(sha256) h = SHA256_INIT;
	uint8_t raw[SHA256_SIZE];
	char block[65536];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "open the download of %s", url);
	while ((n = read(fd, block, sizeof(block))) > 0)
		sha256_update(&h, block, (size_t)n);
	if (n < 0)
		return error_errno(err, "read the download of %s", url);
	sha256_final(&h, raw);
	return hash_bytes(g, url, raw, sizeof(raw));
}

static int hash_source(struct hashing *g, size_t i, struct error *err)
{
	const char *text = g->r->instruction->copy.sources.items[i];
	AUTO(copy_matches) matches = {0};

	if (g->r->fetched && g->r->fetched[i])
		return hash_fetched(g, text, g->r->fetched[i], err);
	if (copy_match_source(g->r, text, &matches, err) < 0)
		return -1;
	if (g->h)
		sha256_frame_int(g->h, (int64_t)matches.n);
	for (size_t k = 0; k < matches.n; k++) {
		const struct copy_match *m = &matches.items[k];

		if (g->h) {
			sha256_frame_int(g->h, m->is_dir);
			sha256_frame_str(g->h, m->is_dir && !m->parents ? NULL : m->name);
			sha256_frame_str(g->h, m->parents);
		}
		g->match = m;
		if (copy_walk(g->r, m, visit_hash, g, err) < 0)
			return -1;
		if (g->h)
			sha256_frame_str(g->h, NULL); /* the end of a walk */
	}
	return 0;
}

static int hash_all(struct hashing *g, struct error *err)
{
	const struct copy_instruction *c = &g->r->instruction->copy;

	for (size_t i = 0; i < c->sources.n; i++)
		if (hash_source(g, i, err) < 0)
			return -1;
	for (size_t i = 0; i < c->n_heredocs; i++) {
		AUTO_FREE char *body = heredoc_body(&c->heredocs[i]);

		hash_bytes(g, c->heredocs[i].name, body, strlen(body));
	}
	return 0;
}

int copy_hash(const struct copy_request *r, struct sha256 *h, struct error *err)
{
	struct hashing g = {.r = r, .h = h};

	return hash_all(&g, err);
}

int copy_hash_and_manifest(const struct copy_request *r, struct sha256 *h, struct strbuf *out,
			   struct error *err)
{
	struct hashing g = {.r = r, .h = h, .lines = out};

	return hash_all(&g, err);
}

int copy_manifest(const struct copy_request *r, struct strbuf *out, struct error *err)
{
	struct hashing g = {.r = r, .lines = out};

	return hash_all(&g, err);
}
