/* Builds of one text in a folder with two files, watched; without RUN. */
#pragma once

#include "builder/build.h"

#include "build_fixture.h"
#include "oci/layer_reader.h"

struct watcher {
	struct reporter reporter;
	pthread_mutex_t lock;
	struct strlist names, notes, logs;
	struct strbuf statuses; /* a letter a step, in the order of their ends: d c f x */
	int ids;
};

static inline int step_begin(struct reporter *r, const char *name)
{
	struct watcher *w = (struct watcher *)r;
	int id;

	pthread_mutex_lock(&w->lock);
	strlist_add(&w->names, name);
	id = ++w->ids;
	pthread_mutex_unlock(&w->lock);
	return id;
}

static inline void step_note(struct reporter *r, int id, const char *text)
{
	struct watcher *w = (struct watcher *)r;

	(void)id;
	pthread_mutex_lock(&w->lock);
	strlist_add(&w->notes, text);
	pthread_mutex_unlock(&w->lock);
}

static inline void step_end(struct reporter *r, int id, enum step_status status,
			    const struct error *err)
{
	struct watcher *w = (struct watcher *)r;

	(void)id;
	(void)err;
	pthread_mutex_lock(&w->lock);
	strbuf_putc(&w->statuses, "dcfx"[status]);
	pthread_mutex_unlock(&w->lock);
}

static inline void keep_log(struct reporter *r, enum log_level level, const char *text)
{
	struct watcher *w = (struct watcher *)r;

	if (level == LOG_WARNING)
		strlist_add(&w->logs, text);
}

static inline void watcher_init(struct watcher *w)
{
	*w = (struct watcher){.reporter = {.log = keep_log,
					   .step_begin = step_begin,
					   .step_note = step_note,
					   .step_end = step_end},
			      .statuses = STRBUF_INIT};
	pthread_mutex_init(&w->lock, NULL);
}

static inline void watcher_release(struct watcher *w)
{
	strlist_release(&w->names);
	strlist_release(&w->notes);
	strlist_release(&w->logs);
	strbuf_release(&w->statuses);
	pthread_mutex_destroy(&w->lock);
}

CLEANUP_RELEASE(watcher)

/* One build of text in the folder "ctx"; what differs from the defaults is set in o before. */
struct bench {
	struct build_fixture *f;
	struct build_options o;
	struct strmap args;
	struct watcher watch;
};

static inline void bench_init(struct bench *b, struct build_fixture *f)
{
	*b = (struct bench){.f = f};
	b->o = (struct build_options){.dockerfile_name = "Dockerfile",
				      .build_args = &b->args,
				      .source_date_epoch = -1,
				      .now = 1700000000,
				      .compression = COMPRESSION_GZIP,
				      .jobs = 1};
	watcher_init(&b->watch);
	write_file(f, "ctx/a.txt", "alpha");
	write_file(f, "ctx/sub/b.txt", "beta");
}

static inline void bench_release(struct bench *b)
{
	strmap_release(&b->args);
	watcher_release(&b->watch);
}

CLEANUP_RELEASE(bench)

static inline int try_build(struct bench *b, const char *text, struct build_result *out,
			    struct error *failure)
{
	AUTO_PTR(context) context = NULL;
	AUTO_FREE char *path = path_join(b->f->folder, "ctx");

	watcher_release(&b->watch);
	watcher_init(&b->watch);
	b->o.dockerfile = text;
	b->o.dockerfile_len = strlen(text);
	b->o.reporter = &b->watch.reporter;
	assert_ok(context_open_folder(&context, "context", path, NULL, err));
	b->o.context = context;
	return build_run(out, b->f->store, &b->o, failure);
}

static inline struct build_result build(struct bench *b, const char *text)
{
	struct build_result result = {.image = NULL};

	assert_ok(try_build(b, text, &result, err));
	assert_true(image_complete(result.image, b->f->store, NULL));
	return result;
}

/* "type mode uid:gid path" a line of layer i. */
static inline void list_layer(struct bench *b, const struct image *image, size_t i,
			      struct strbuf *out)
{
	AUTO_PTR(layer_reader) reader = NULL;
	const struct entry *e;
	int more;

	assert_ok(layer_reader_open(&reader, b->f->store, &image->manifest.layers[i],
				    &image->config.diff_ids[i], err));
	while ((more = layer_reader_next(reader, &e, NULL)) == 1)
		strbuf_printf(out, "%c %04o %u:%u %s\n", e->type == ENTRY_DIR ? 'd' : 'f',
			      (unsigned)e->mode, e->uid, e->gid, e->path);
	assert_int_equal(more, 0);
}

static inline void assert_layer(struct bench *b, const struct image *image, size_t i,
				const char *wanted)
{
	AUTO(strbuf) list = STRBUF_INIT;

	assert_true(i < image->manifest.n_layers);
	list_layer(b, image, i, &list);
	assert_string_equal(list.buf, wanted);
}

static inline void assert_list(const struct strlist *list, const char *wanted)
{
	AUTO_FREE char *joined = strlist_join(list, "|");

	assert_string_equal(joined, wanted);
}

static inline void assert_history(const struct image *image, const char *const *wanted, size_t n)
{
	assert_int_equal(image->config.n_history, n);
	for (size_t i = 0; i < n; i++) {
		const struct history *h = &image->config.history[i];
		bool layer = wanted[i][0] == '+';

		assert_string_equal(h->created_by, wanted[i] + layer);
		assert_string_equal(h->comment, "buildkit.dockerfile.v0");
		assert_int_equal(h->empty_layer, !layer);
		assert_non_null(h->created);
	}
}
