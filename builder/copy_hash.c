#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "builder/copy_source.h"
#include "builder/explain.h"

#define MANY_LINES (256u << 10)

/* What a cache key sees of the sources. Never: mtimes, owners in a context, absolute paths. */
struct hashing {
	const struct copy_request *r;
	struct sha256 *h;     /* may be NULL */
	struct strbuf *lines; /* may be NULL */
	size_t lines_start;   /* what was in lines before */
	bool too_many;        /* for lines */
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

static bool mode_counts(const struct hashing *g, const struct copy_item *item)
{
	const struct chmod_spec *chmod = &g->r->instruction->copy.chmod;

	return item->e.type != ENTRY_SYMLINK && !(chmod->given && chmod->octal);
}

/* All but the name, type and mode. digest: of a file's content. */
static void frame_content(const struct hashing *g, const struct copy_item *item,
			  const uint8_t digest[SHA256_SIZE], struct sha256 *h)
{
	const struct entry *e = &item->e;
	bool owned = g->r->instruction->copy.chown != NULL;

	if (g->r->from) {
		sha256_frame_int(h, owned ? -1 : (int64_t)e->uid);
		sha256_frame_int(h, owned ? -1 : (int64_t)e->gid);
		frame_xattrs(h, e);
	}
	sha256_frame_str(h, e->link);
	if (e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK) {
		sha256_frame_int(h, (int64_t)e->dev_major);
		sha256_frame_int(h, (int64_t)e->dev_minor);
	}
	if (e->type == ENTRY_FILE)
		sha256_frame(h, digest, SHA256_SIZE);
}

/* Whether there is no room for more lines; then there are none at all. */
static bool is_full(struct hashing *g)
{
	size_t len = g->lines->len - g->lines_start;

	if (g->too_many || len < MANY_LINES)
		return g->too_many;
	if (len < EXPLAIN_FILES_LIMIT) {
		/* Once and for all: growing by doubling would copy megabytes and leave them behind. */
		strbuf_grow(g->lines, EXPLAIN_FILES_LIMIT - len);
		return false;
	}
	AUTO_FREE char *before = xstrndup(g->lines->buf, g->lines_start);

	g->too_many = true;
	strbuf_release(g->lines);
	strbuf_init(g->lines);
	strbuf_puts(g->lines, before);
	explain_add_too_many(g->lines);
	return true;
}

static char type_letter(enum entry_type type)
{
	static const char letters[] = {
		[ENTRY_FILE] = 'f', [ENTRY_DIR] = 'd',  [ENTRY_SYMLINK] = 'l',
		[ENTRY_FIFO] = 'p', [ENTRY_CHAR] = 'c', [ENTRY_BLOCK] = 'b',
	};
	char letter = (size_t)type < sizeof(letters) ? letters[type] : '\0';

	return letter ? letter : '?';
}

static void add_item(struct hashing *g, const struct copy_item *item,
		     const uint8_t digest[SHA256_SIZE])
{
	AUTO(sha256) one = SHA256_INIT;
	char hex[SHA256_HEX_SIZE];

	if (is_full(g))
		return;
	/* Of most files there is nothing but the content. */
	if (item->e.type == ENTRY_FILE && !g->r->from) {
		sha256_hex(digest, hex);
	} else {
		frame_content(g, item, digest, &one);
		sha256_final_hex(&one, hex);
	}
	explain_add_file(g->lines, item->path, type_letter(item->e.type), item->e.mode,
			 mode_counts(g, item), hex);
}

static int visit_hash(void *arg, const struct copy_item *item, struct error *err)
{
	struct hashing *g = arg;
	uint8_t digest[SHA256_SIZE];

	if (is_left(g, item))
		return 0;
	if (item->e.type == ENTRY_FILE && copy_item_digest(g->r, item, digest, err) < 0)
		return -1;
	if (g->h) {
		sha256_frame_str(g->h, item->rel);
		sha256_frame_int(g->h, (int64_t)item->e.type);
		sha256_frame_int(g->h, mode_counts(g, item) ? (int64_t)item->e.mode : -1);
		frame_content(g, item, digest, g->h);
	}
	if (g->lines)
		add_item(g, item, digest);
	return 0;
}

/* Without what may be a secret. */
static void add_bytes(struct hashing *g, const char *name, const char *hex)
{
	const char *host = strstr(name, "://");
	const char *end = name + strcspn(name, "?#");
	AUTO(strbuf) shown = STRBUF_INIT;

	if (!g->lines || is_full(g))
		return;
	if (host) {
		const char *at = memrchr(host + 3, '@', strcspn(host + 3, "/?#"));

		strbuf_add(&shown, name, (size_t)(host + 3 - name));
		name = at ? at + 1 : host + 3;
	}
	strbuf_add(&shown, name, (size_t)(end - name));
	explain_add_file(g->lines, shown.buf, 'f', 0, false, hex);
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
	add_bytes(g, name, hex);
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

static int hash_matches(struct hashing *g, const struct copy_matches *matches, struct error *err)
{
	if (g->h)
		sha256_frame_int(g->h, (int64_t)matches->n);
	for (size_t k = 0; k < matches->n; k++) {
		const struct copy_match *m = &matches->items[k];

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

static int hash_folder(struct hashing *g, size_t i, struct error *err)
{
	const struct copy_request *whole = g->r;
	const struct copy_request own = copy_request_of_fetched(whole, i);
	AUTO(copy_matches) matches = {0};
	int result;

	copy_match_everything(&matches);
	g->r = &own;
	result = hash_matches(g, &matches, err);
	g->r = whole;
	return result;
}

static int hash_source(struct hashing *g, size_t i, struct error *err)
{
	const struct copy_fetched *fetched = g->r->fetched;
	const char *text = g->r->instruction->copy.sources.items[i];
	AUTO(copy_matches) matches = {0};

	if (fetched && fetched[i].context)
		return hash_folder(g, i, err);
	if (fetched && fetched[i].file)
		return hash_fetched(g, text, fetched[i].file, err);
	if (copy_match_source(g->r, text, &matches, err) < 0)
		return instruction_error_at_source(err, g->r->instruction, i);
	return hash_matches(g, &matches, err);
}

static int hash_all(struct hashing *g, struct error *err)
{
	const struct copy_instruction *c = &g->r->instruction->copy;

	if (g->h) {
		sha256_frame_int(g->h, (int64_t)c->sources.n);
		sha256_frame_int(g->h, (int64_t)c->n_heredocs);
	}
	if (g->lines)
		g->lines_start = g->lines->len;
	for (size_t i = 0; i < c->sources.n; i++)
		if (hash_source(g, i, err) < 0)
			return -1;
	for (size_t i = 0; i < c->n_heredocs; i++) {
		AUTO_FREE char *body = heredoc_body(&c->heredocs[i]);

		hash_bytes(g, c->heredocs[i].name, body, strlen(body));
	}
	if (g->r->stat_cache)
		stat_cache_rest(g->r->stat_cache);
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
