/* Archives as bytes, made entry by entry, and as files in the fixture's folder. */
#pragma once

#include "image_fixture.h"

#include "oci/archive.h"
#include "oci/layer_writer.h"

/* A tar in memory. */
struct packer {
	struct strbuf bytes;
	struct strbuf_sink sink;
	struct tar_writer *tar;
};

struct packer_text {
	struct source source;
	const char *data;
	size_t left;
};

static inline int64_t packer_text_read(struct source *s, void *out, size_t len, struct error *err)
{
	struct packer_text *t = (struct packer_text *)s;
	size_t n = len < t->left ? len : t->left;

	(void)err;
	memcpy(out, t->data, n);
	t->data += n;
	t->left -= n;
	return (int64_t)n;
}

static inline void pack_begin(struct packer *p)
{
	strbuf_init(&p->bytes);
	strbuf_sink_init(&p->sink, &p->bytes);
	assert_int_equal(tar_writer_open(&p->tar, &p->sink.sink, NULL), 0);
}

static inline void pack(struct packer *p, const char *path, const void *data, size_t len)
{
	struct packer_text t = {.source.read = packer_text_read, .data = data, .left = len};
	struct entry e = {
		.type = ENTRY_FILE, .path = path, .mode = 0644, .size = (int64_t)len, .mtime = 0};

	assert_int_equal(tar_writer_add(p->tar, &e, &t.source, NULL), 0);
}

static inline void pack_text(struct packer *p, const char *path, const char *text)
{
	pack(p, path, text, strlen(text));
}

static inline void pack_link(struct packer *p, const char *path, const char *target)
{
	struct entry e = {.type = ENTRY_SYMLINK, .path = path, .link = target, .mode = 0777};

	assert_int_equal(tar_writer_add(p->tar, &e, NULL, NULL), 0);
}

static inline void pack_end(struct packer *p)
{
	assert_int_equal(tar_writer_finish(p->tar, NULL), 0);
	tar_writer_free(p->tar);
	p->tar = NULL;
}

/* A layer with one file of that name. */
static inline void pack_layer(struct packer *p, const char *name)
{
	pack_begin(p);
	pack_text(p, name, "content");
	pack_end(p);
}

static inline void fixture_file(const struct fixture *f, const char *name, const void *data,
				size_t len)
{
	AUTO_FREE char *path = xstrfmt("../%s", name);

	fixture_write(f, path, data, len);
}

/* Loads bytes; the names that were loaded, joined by commas, or NULL on failure with f->err. free() */
static inline char *load_bytes(struct fixture *f, struct store *s, const void *data, size_t len)
{
	AUTO(strlist) loaded = STRLIST_INIT;
	AUTO_FREE char *path = xstrfmt("%s/input", f->folder);

	fixture_file(f, "input", data, len);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (archive_load(s, fd, &loaded, &f->err) < 0)
		return NULL;
	return strlist_join(&loaded, ",");
}

#define assert_load_fails(f, s, want, part, bytes)                                         \
	do {                                                                               \
		error_clear(&(f)->err);                                                    \
		AUTO_FREE char *loaded_ = load_bytes(f, s, (bytes).buf, (bytes).len);      \
		if (loaded_)                                                               \
			fail_msg("loaded %s, wanted an error with \"%s\"", loaded_, part); \
		if ((f)->err.kind != (want) || !strstr((f)->err.message, part))            \
			fail_msg("kind %s, message: %s", error_kind_name((f)->err.kind),   \
				 (f)->err.message);                                        \
		error_clear(&(f)->err);                                                    \
	} while (0)

/* What a command prints. free() */
static inline char *output_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline char *output_of(const char *fmt, ...)
{
	AUTO(strbuf) text = STRBUF_INIT;
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	AUTO_FREE char *command = xstrvfmt(fmt, ap);
	va_end(ap);
	FILE *p = popen(command, "r");

	while (fgets(line, sizeof(line), p))
		strbuf_puts(&text, line);
	assert_int_equal(pclose(p), 0);
	return strbuf_detach(&text, NULL);
}

#define run_command(...) free(output_of(__VA_ARGS__))

/* Saves the named images to the file "saved" of the fixture's folder; its path. free() */
static inline char *save_names(struct fixture *f, enum archive_kind kind, const char *const *names,
			       size_t n)
{
	struct image_ref refs[8] = {0};
	struct archive_item items[8] = {0};
	char *path = xstrfmt("%s/saved", f->folder);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	for (size_t i = 0; i < n; i++) {
		assert_ok(f, image_ref_parse(&refs[i], names[i], &f->err));
		assert_ok(f, layout_find(f->store, &refs[i], &items[i].descriptor, &f->err));
		items[i].refs = &refs[i];
		items[i].n_refs = 1;
	}
	int result = archive_save(f->store, items, n, kind, fd, &f->err);

	for (size_t i = 0; i < n; i++) {
		image_ref_release(&refs[i]);
		descriptor_release(&items[i].descriptor);
	}
	if (result == 0)
		return path;
	free(path);
	return NULL;
}
