#include "builder/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/json.h"

#define RECORD_VERSION 1
#define FILE_LIMIT     (64u << 20)

void cache_record_release(struct cache_record *r)
{
	if (r)
		layer_release(&r->layer);
}

bool cache_read_file(struct store *s, const char *folder, const char *name, struct strbuf *out)
{
	AUTO_FREE char *path = store_path(s, "cache/%s/%s", folder, name);

	strbuf_reset(out);
	return fs_read_file(path, out, FILE_LIMIT, NULL) == 0;
}

bool cache_file_begins(struct store *s, const char *folder, const char *name, const char *text)
{
	AUTO_FREE char *path = store_path(s, "cache/%s/%s", folder, name);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = strlen(text);
	AUTO_FREE char *start = xmalloc(len + 1);

	return fd >= 0 && fs_read_exact(fd, start, len, path, NULL) == 0 &&
	       memcmp(start, text, len) == 0;
}

/* The folder is made by the first write that finds it missing. */
static int open_new(struct store *s, const char *folder, char **path)
{
	static _Atomic unsigned counter;
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;

	for (bool made = false;;) {
		AUTO_FREE char *temp = store_path(s, "cache/%s/.%ld-%u.tmp", folder, (long)getpid(),
						  atomic_fetch_add(&counter, 1));
		int fd = open(temp, flags, 0600);

		if (fd >= 0) {
			*path = take_ptr(temp);
			return fd;
		}
		/* One who was killed had the process id of ours: in containers they repeat. */
		if (errno == EEXIST)
			continue;
		if (errno != ENOENT || made)
			return -1;
		AUTO_FREE char *dir = store_path(s, "cache/%s", folder);

		if (fs_mkdir_p(dir, 0700, NULL) < 0)
			return -1;
		made = true;
	}
}

void cache_write_file(struct store *s, const char *folder, const char *name, const void *data,
		      size_t len)
{
	AUTO_FREE char *path = store_path(s, "cache/%s/%s", folder, name);
	AUTO_FREE char *temp = NULL;
	AUTO_FD int fd = open_new(s, folder, &temp);

	if (fd < 0)
		return;
	if (fs_write_all(fd, data, len, temp, NULL) < 0 || rename(temp, path) < 0)
		unlink(temp);
}

static int read_record(struct cache_record *out, const struct strbuf *text, const char *where,
		       struct error *err)
{
	AUTO_JSON *j = NULL;
	json_t *layer;
	const char *diff_id, *key;
	int64_t version;

	if (json_parse(&j, text->buf, text->len, where, err) < 0 ||
	    json_get_int(j, "version", &version, where, err) < 0)
		return -1;
	if (version != RECORD_VERSION)
		return error_set(err, ERROR_UNSUPPORTED, "%s has version %lld", where,
				 (long long)version);
	if (json_get_object(j, "layer", &layer, where, err) < 0 ||
	    descriptor_from_json(&out->layer.descriptor, layer, where, err) < 0 ||
	    json_get_string(j, "diff_id", &diff_id, where, err) < 0 ||
	    digest_parse(&out->layer.diff_id, diff_id, err) < 0 ||
	    json_get_int(j, "uncompressed", &out->layer.uncompressed, where, err) < 0 ||
	    json_opt_string(j, "key", &key, where, err) < 0 ||
	    json_opt_bool(j, "one_owner", &out->one_owner, false, where, err) < 0)
		return -1;
	if (key && strlen(key) == SHA256_HEX_SIZE - 1 &&
	    strspn(key, "0123456789abcdef") == SHA256_HEX_SIZE - 1)
		memcpy(out->key, key, sizeof(out->key));
	return json_get_int(j, "created", &out->created, where, err);
}

bool cache_get(struct store *s, const char *key, struct cache_record *out)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(cache_record) found = {.created = 0};
	AUTO_FREE char *name = xstrfmt("%s.json", key);

	if (!cache_read_file(s, "steps", name, &text) || read_record(&found, &text, name, NULL) < 0)
		return false;
	if (!store_has(s, &found.layer.descriptor.digest, found.layer.descriptor.size))
		return false;
	cache_record_release(out);
	*out = found;
	found = (struct cache_record){.created = 0};
	return true;
}

void cache_put(struct store *s, const char *key, const char *kind, const struct cache_record *r)
{
	AUTO_JSON *j = json_object();
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO_FREE char *name = xstrfmt("%s.json", key);

	json_object_set_new(j, "version", json_integer(RECORD_VERSION));
	json_object_set_new(j, "kind", json_text(kind));
	json_object_set_new(j, "layer", descriptor_to_json(&r->layer.descriptor));
	json_object_set_new(j, "diff_id", json_text(r->layer.diff_id.text));
	json_object_set_new(j, "uncompressed", json_integer(r->layer.uncompressed));
	json_object_set_new(j, "created", json_integer(r->created));
	if (r->key[0])
		json_object_set_new(j, "key", json_text(r->key));
	if (r->one_owner)
		json_object_set_new(j, "one_owner", json_true());
	json_write(j, &text);
	cache_write_file(s, "steps", name, text.buf, text.len);
}

bool cache_fits(bool one_owner, struct sandbox *sb)
{
	enum sandbox_mode mode = one_owner && sb ? sandbox_mode(sb, NULL) : SANDBOX_NONE;

	return mode == SANDBOX_NONE || mode == SANDBOX_ROOTLESS_SINGLE;
}

bool cache_get_created(struct store *s, const char *key, int64_t *created)
{
	AUTO(strbuf) text = STRBUF_INIT;
	char *end;

	if (!cache_read_file(s, "created", key, &text) || !text.len)
		return false;
	errno = 0;
	*created = strtoll(text.buf, &end, 10);
	return errno == 0 && end != text.buf && *end == '\n';
}

void cache_put_created(struct store *s, const char *key, int64_t created)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%lld\n", (long long)created);

	cache_write_file(s, "created", key, text, (size_t)len);
}

void cache_put_base(struct store *s, const struct digest *image)
{
	AUTO_FREE char *name = xstrfmt("%s.json", digest_hex(image));
	AUTO_FREE char *text = xstrfmt("{\"version\":1,\"kind\":\"base\",\"image\":\"%s\"}",
				       image->text);

	if (!cache_file_begins(s, "bases", name, text))
		cache_write_file(s, "bases", name, text, strlen(text));
}
