/*
 * A client, two stores and a scripted registry (with another one beside it), for the tests of push, pull and logins. The
 * registry lives as long as the program, all else as long as one test.
 */
#pragma once

#include <pthread.h>

#include "oci/layout.h"
#include "registry/registry.h"

#include "tests/unit/base/scratch.h"

#include "tests/fakes/fake.h"

static struct fake fake, other;
static struct pool *pool; /* made by main */

struct world {
	struct reporter reporter; /* first: the callbacks cast to the world */
	pthread_mutex_t lock;
	struct strbuf said; /* notes and log lines */
	struct login login; /* views; username NULL: nobody is logged in */
	int lookups;
	bool login_broken;
	struct store *from, *to;
	struct registry_options o;
	struct registry_client *c;
	struct image_ref ref; /* HOST/app:v1 */
	struct image *image;  /* in from */
};

static inline void say(struct world *w, const char *text)
{
	pthread_mutex_lock(&w->lock);
	strbuf_printf(&w->said, "%s\n", text);
	pthread_mutex_unlock(&w->lock);
}

static inline void on_log(struct reporter *r, enum log_level level, const char *text)
{
	if (level != LOG_DEBUG)
		say((struct world *)r, text);
}

static inline int on_begin(struct reporter *r, const char *name)
{
	say((struct world *)r, name);
	return 1;
}

static inline void on_note(struct reporter *r, int id, const char *text)
{
	(void)id;
	say((struct world *)r, text);
}

static inline int get_login(void *arg, const char *host, const char *repository, struct login *out,
			    bool *found, struct error *err)
{
	struct world *w = arg;

	(void)host;
	(void)repository;
	w->lookups++;
	if (w->login_broken)
		return error_set(err, ERROR_DENIED, "the helper is locked");
	*found = w->login.username || w->login.identity_token;
	out->username = xstrdup_null(w->login.username);
	out->password = xstrdup_null(w->login.password);
	out->identity_token = xstrdup_null(w->login.identity_token);
	return 0;
}

static inline void set_login(struct world *w, char *user, char *password)
{
	w->login = (struct login){.username = user, .password = password};
}

/* Another client: nothing is remembered but what the stores hold. */
static inline void new_client(struct world *w)
{
	registry_client_free(w->c);
	w->c = NULL;
	assert_ok(registry_client_new(&w->c, &w->o, err));
}

static inline void make_ref(struct image_ref *out, const char *host, const char *rest)
{
	AUTO_FREE char *text = xstrfmt("%s/%s", host, rest);

	image_ref_release(out);
	assert_ok(image_ref_parse(out, text, err));
}

/* Bytes that no compression or repetition makes special; other for each seed. */
static inline char *make_bytes(size_t n, uint32_t seed)
{
	char *bytes = xmalloc(n + 1);

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (char)(seed >> 24);
	}
	return bytes;
}

/* An image with layers of these sizes (nothing here unpacks them). */
static inline struct image *make_image(struct store *s, const size_t *sizes, size_t n,
				       uint32_t seed)
{
	AUTO_PTR(image) image = image_new();

	platform_host(&image->config.platform);
	for (size_t i = 0; i < n; i++) {
		AUTO_FREE char *bytes = make_bytes(sizes[i], seed + (uint32_t)i);
		AUTO(descriptor) layer = {0};

		assert_ok(store_put(s, MEDIA_OCI_LAYER, bytes, sizes[i], &layer, err));
		manifest_add_layer(&image->manifest, &layer);
		image_config_add_layer(&image->config, &layer.digest);
	}
	assert_ok(image_save(image, s, err));
	return take_ptr(image);
}

static const size_t LAYERS[] = {300000, 5000, 70000};

static inline int world_set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	*state = w;
	fake_reset(&fake);
	fake_reset(&other);
	fake_setting(&fake, "{\"auth\": null, \"realm\": null, \"anonymous_pull\": false, "
			    "\"mount_scope\": false, \"immutable\": false, \"expires_in\": 300}");
	if (fs_remove_tree(scratch_fd, "from", NULL) < 0 ||
	    fs_remove_tree(scratch_fd, "to", NULL) < 0)
		return -1;
	pthread_mutex_init(&w->lock, NULL);
	strbuf_init(&w->said);
	w->reporter = (struct reporter){
		.log = on_log, .step_begin = on_begin, .step_note = on_note};
	w->o = (struct registry_options){
		.reporter = &w->reporter,
		.login = {.get = get_login, .arg = w},
		.pool = pool,
		.max_retries = 3,
		.retry_base_ms = 1,
		.stall_timeout_ms = 10000,
	};
	assert_ok(store_open(&w->from, in_scratch("from"), err));
	assert_ok(store_open(&w->to, in_scratch("to"), err));
	new_client(w);
	make_ref(&w->ref, fake.host, "app:v1");
	w->image = make_image(w->from, LAYERS, ARRAY_SIZE(LAYERS), 1);
	return 0;
}

static inline int world_tear_down(void **state)
{
	struct world *w = *state;

	registry_client_free(w->c);
	image_free(w->image);
	image_ref_release(&w->ref);
	store_free(w->from);
	store_free(w->to);
	strbuf_release(&w->said);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static inline int world_start(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	return fake_start(&fake, NULL) < 0 || fake_start(&other, NULL) < 0 ? -1 : 0;
}

static inline int world_stop(void **state)
{
	fake_stop(&fake);
	fake_stop(&other);
	return scratch_teardown(state);
}

#define world_test(fn) cmocka_unit_test_setup_teardown(fn, world_set_up, world_tear_down)

static inline struct push_result push_ok(struct world *w, const struct image_ref *ref,
					 const struct descriptor *d)
{
	struct push_result result = {0};

	assert_ok(registry_push(w->c, w->from, ref, d, &result, err));
	return result;
}

/* The image of ref in store to: it is that image, and each blob is whole. */
static inline void pull_ok(struct world *w, const struct image_ref *ref, const struct image *image)
{
	AUTO(descriptor) got = {0};
	bool changed;

	assert_ok(registry_pull(w->c, w->to, ref, NULL, &got, &changed, err));
	assert_string_equal(got.digest.text, image->descriptor.digest.text);
	assert_ok(store_verify_blob(w->to, &image->manifest.config.digest,
				    image->manifest.config.size, err));
	for (size_t i = 0; i < image->manifest.n_layers; i++)
		assert_ok(store_verify_blob(w->to, &image->manifest.layers[i].digest,
					    image->manifest.layers[i].size, err));
}

#define assert_said(w, text)                                                            \
	do {                                                                            \
		if (!strstr((w)->said.buf, text))                                       \
			fail_msg("\"%s\" was not said, but:\n%s", text, (w)->said.buf); \
	} while (0)
