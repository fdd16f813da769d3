#include "local/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/strbuf.h"

#define SCHEMA 1

struct state {
	char *folder;
	int lock_fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t version;
	json_t *kinds; /* kind -> key -> document */
};

static char *document_path(const struct state *s, const char *kind, const char *key)
{
	uint8_t hash[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	sha256_buf(key, strlen(key), hash);
	sha256_hex(hash, hex);
	return xstrfmt("%s/%s/%s.json", s->folder, kind, hex);
}

static json_t *kind_documents(struct state *s, const char *kind)
{
	json_t *documents = json_object_get(s->kinds, kind);

	if (!documents) {
		documents = json_object();
		json_object_set_new(s->kinds, kind, documents);
	}
	return documents;
}

struct reading {
	struct state *s;
	const char *kind;
};

static int read_document(void *arg, int dirfd, const char *entry, const struct stat *st,
			 struct error *err)
{
	struct reading *r = arg;
	AUTO_FREE char *path = xstrfmt("%s/%s/%s", r->s->folder, r->kind, entry);
	AUTO_JSON *file = NULL;
	const char *key;
	json_t *document;

	(void)dirfd;
	(void)st;
	/* What was being written when the machine stopped. */
	if (strncmp(entry, FS_TEMP_PREFIX, strlen(FS_TEMP_PREFIX)) == 0) {
		unlink(path);
		return 0;
	}
	if (json_parse_file(&file, path, LIMIT_STATE_DOCUMENT, err) < 0 ||
	    json_get_string(file, "key", &key, path, err) < 0 ||
	    json_get_object(file, "document", &document, path, err) < 0) {
		error_wrap(err, "read the local target's state");
		return error_hint(err,
				  "move this file away, or 'slipway local reset' to start anew");
	}
	json_object_set(kind_documents(r->s, r->kind), key, document);
	return 0;
}

static int read_kind(void *arg, int dirfd, const char *entry, const struct stat *st,
		     struct error *err)
{
	struct reading r = {.s = arg, .kind = entry};

	if (!S_ISDIR(st->st_mode))
		return 0;
	return fs_each_entry(dirfd, entry, read_document, &r, err);
}

static int check_schema(struct state *s, struct error *err)
{
	AUTO_FREE char *path = path_join(s->folder, "state.json");
	AUTO_JSON *file = NULL;
	AUTO(strbuf) text = STRBUF_INIT;
	int64_t schema;

	if (access(path, F_OK) < 0) {
		strbuf_printf(&text, "{\"schema\": %d}\n", SCHEMA);
		return fs_write_file_atomic(path, text.buf, text.len, 0600, err);
	}
	if (json_parse_file(&file, path, LIMIT_STATE_DOCUMENT, err) < 0 ||
	    json_get_int(file, "schema", &schema, path, err) < 0)
		return -1;
	if (schema == SCHEMA)
		return 0;
	error_set(err, ERROR_UNSUPPORTED, "%s: schema %lld, this slipway reads %d", path,
		  (long long)schema, SCHEMA);
	return error_hint(err, "use the slipway that wrote it, or 'slipway local reset'");
}

static int take_folder(struct state *s, struct error *err)
{
	AUTO_FREE char *path = path_join(s->folder, ".lock");

	if (fs_mkdir_p(s->folder, 0700, err) < 0)
		return -1;
	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return error_errno(err, "open %s", path);
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return error_errno(err, "lock %s", path);
	return error_set(err, ERROR_DENIED, "%s: a local target runs there already", s->folder);
}

int state_open(struct state **out, const char *folder, struct error *err)
{
	AUTO_PTR(state) s = xcalloc(1, sizeof(*s));
	pthread_condattr_t clock;

	s->folder = xstrdup(folder);
	s->lock_fd = -1;
	s->kinds = json_object();
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &clock);
	pthread_condattr_destroy(&clock);
	if (take_folder(s, err) < 0 || check_schema(s, err) < 0 ||
	    fs_each_entry(AT_FDCWD, folder, read_kind, s, err) < 0)
		return -1;
	*out = take_ptr(s);
	return 0;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	json_decref(s->kinds);
	free(s->folder);
	free(s);
}

void state_lock(struct state *s)
{
	pthread_mutex_lock(&s->lock);
}

void state_unlock(struct state *s)
{
	pthread_mutex_unlock(&s->lock);
}

json_t *state_get(struct state *s, const char *kind, const char *key)
{
	return json_object_get(json_object_get(s->kinds, kind), key);
}

json_t *state_all(struct state *s, const char *kind)
{
	return kind_documents(s, kind);
}

static int write_document(struct state *s, const char *kind, const char *key, json_t *document,
			  struct error *err)
{
	AUTO_FREE char *path = document_path(s, kind, key);
	AUTO_FREE char *folder = path_join(s->folder, kind);
	AUTO_JSON *file = json_pack("{s:s, s:O}", "key", key, "document", document);
	AUTO(strbuf) text = STRBUF_INIT;

	if (!file)
		return error_set(err, ERROR_CORRUPT, "%s \"%s\": not valid UTF-8", kind, key);
	json_write(file, &text);
	if (fs_mkdir_p(folder, 0700, err) < 0)
		return -1;
	return fs_write_file_atomic(path, text.buf, text.len, 0600, err);
}

int state_put(struct state *s, const char *kind, const char *key, json_t *document,
	      struct error *err)
{
	if (write_document(s, kind, key, document, err) < 0) {
		json_decref(document);
		return error_wrap(err, "write the local target's state");
	}
	json_object_set_new(kind_documents(s, kind), key, document);
	state_wake(s);
	return 0;
}

int state_remove(struct state *s, const char *kind, const char *key, struct error *err)
{
	AUTO_FREE char *path = document_path(s, kind, key);
	AUTO_FREE char *folder = path_join(s->folder, kind);

	if (!state_get(s, kind, key))
		return 0;
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, "remove %s", path);
	if (fs_fsync_dir(AT_FDCWD, folder, err) < 0)
		return -1;
	json_object_del(kind_documents(s, kind), key);
	state_wake(s);
	return 0;
}

uint64_t state_version(const struct state *s)
{
	return s->version;
}

void state_wait(struct state *s, uint64_t seen, int timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (s->version == seen) {
		if (timeout_ms < 0)
			pthread_cond_wait(&s->changed, &s->lock);
		else if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			return;
	}
}

void state_wake(struct state *s)
{
	s->version++;
	pthread_cond_broadcast(&s->changed);
}
