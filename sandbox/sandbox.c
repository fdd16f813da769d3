#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "sandbox/flat_root.h"
#include "sandbox/helper.h"
#include "sandbox/probe.h"
#include "sandbox/sandbox_private.h"
#include "sandbox/userns.h"

static const char *const mode_names[] = {"root", "rootless-subuid", "rootless-single", "chroot",
					 "none"};
static const char *const storage_names[] = {"overlay", "copy"};

bool sandbox_has_userns(enum sandbox_mode m)
{
	return m == SANDBOX_ROOTLESS_SUBUID || m == SANDBOX_ROOTLESS_SINGLE;
}

const char *sandbox_mode_name(enum sandbox_mode m)
{
	return mode_names[m];
}

const char *sandbox_storage_name(enum sandbox_storage s)
{
	return storage_names[s];
}

static int check_storage_name(const char *name, struct error *err)
{
	for (size_t i = 0; i < N_SANDBOX_STORAGES; i++)
		if (strcmp(name, storage_names[i]) == 0)
			return 0;
	return error_set(err, ERROR_USAGE,
			 "unknown storage \"%s\" of the sandbox: there are auto, overlay, copy",
			 name);
}

static int check_mode_name(const char *name, struct error *err)
{
	for (size_t i = 0; i < SANDBOX_NONE; i++)
		if (strcmp(name, mode_names[i]) == 0)
			return 0;
	return error_set(
		err, ERROR_USAGE,
		"unknown sandbox mode \"%s\": there are auto, root, rootless-subuid, rootless-single, chroot",
		name);
}

int sandbox_open(struct sandbox **out, struct store *s, const struct sandbox_options *o,
		 struct error *err)
{
	AUTO_PTR(sandbox) sb = xcalloc(1, sizeof(*sb));

	sb->store = s;
	sb->reporter = o->reporter;
	sb->cancel = o->cancel;
	sb->helper_path = xstrdup_null(o->helper_path);
	for (size_t i = 0; o->helper_env && o->helper_env[i]; i++)
		strlist_add(&sb->helper_env, o->helper_env[i]);
	sb->has_helper_env = sb->helper_env.n > 0;
	sb->init_fd = sb->userns_fd = -1;
	sb->kept_folder = (struct run_folder)RUN_FOLDER_INIT;
	for (size_t i = 0; i < ARRAY_SIZE(sb->layer_locks); i++)
		sb->layer_locks[i] = -1;
	pthread_mutex_init(&sb->lock, NULL);
	pthread_mutex_init(&sb->probe_lock, NULL);
	for (size_t i = 0; i < N_SECCOMP_KINDS; i++)
		strbuf_init(&sb->filters[i]);
	if (o->mode && strcmp(o->mode, "auto") != 0) {
		if (check_mode_name(o->mode, err) < 0)
			return -1;
		sb->asked_mode = xstrdup(o->mode);
	}
	if (o->storage && strcmp(o->storage, "auto") != 0) {
		if (check_storage_name(o->storage, err) < 0)
			return -1;
		sb->asked_storage = xstrdup(o->storage);
	}
	*out = take_ptr(sb);
	return 0;
}

void sandbox_free(struct sandbox *sb)
{
	if (!sb)
		return;
	flat_roots_end(sb);
	run_folder_close(&sb->kept_folder, sb, false);
	helpers_end(sb);
	sandbox_wait_ended(sb);
	if (sb->init_fd >= 0)
		close(sb->init_fd);
	if (sb->userns_fd >= 0)
		close(sb->userns_fd);
	for (size_t i = 0; i < ARRAY_SIZE(sb->layer_locks); i++)
		if (sb->layer_locks[i] >= 0)
			close(sb->layer_locks[i]);
	strmap_release(&sb->whole);
	for (size_t i = 0; i < N_SECCOMP_KINDS; i++)
		strbuf_release(&sb->filters[i]);
	strlist_release(&sb->helper_env);
	free(sb->ending);
	free(sb->helper_path);
	free(sb->asked_mode);
	free(sb->asked_storage);
	free(sb->why);
	pthread_mutex_destroy(&sb->lock);
	pthread_mutex_destroy(&sb->probe_lock);
	free(sb);
}

enum sandbox_mode sandbox_mode(struct sandbox *sb, char **why)
{
	enum sandbox_mode mode;

	pthread_mutex_lock(&sb->probe_lock);
	if (!sb->probed) {
		sb->mode = probe_best(sb, &sb->storage, &sb->why);
		sb->probed = true;
	}
	mode = sb->mode;
	if (why)
		*why = mode == SANDBOX_NONE ? xstrdup_null(sb->why) : NULL;
	pthread_mutex_unlock(&sb->probe_lock);
	return mode;
}

enum sandbox_storage sandbox_storage(struct sandbox *sb)
{
	enum sandbox_storage storage;

	(void)sandbox_mode(sb, NULL);
	pthread_mutex_lock(&sb->probe_lock);
	storage = sb->storage;
	pthread_mutex_unlock(&sb->probe_lock);
	return storage;
}

int sandbox_require(struct sandbox *sb, enum sandbox_mode *mode, struct error *err)
{
	AUTO_FREE char *why = NULL;

	*mode = sandbox_mode(sb, &why);
	if (*mode != SANDBOX_NONE)
		return 0;
	error_set(err, ERROR_UNSUPPORTED,
		  "programs of an image cannot run here: no sandbox mode works\n%s",
		  why ? why : "");
	return error_hint(err, "\"slipway doctor\" shows every mode and what would change it");
}

int sandbox_userns(struct sandbox *sb, enum sandbox_mode mode, int *fd, struct error *err)
{
	int made = -1;

	*fd = -1;
	if (!sandbox_has_userns(mode))
		return 0;
	pthread_mutex_lock(&sb->lock);
	*fd = sb->userns_fd;
	pthread_mutex_unlock(&sb->lock);
	if (*fd >= 0)
		return 0;
	if (userns_make(sb, mode, &made, err) < 0)
		return -1;
	pthread_mutex_lock(&sb->lock);
	/* Another thread may have made one meanwhile; all must use the same. */
	if (sb->userns_fd < 0)
		sb->userns_fd = take_fd(made);
	*fd = sb->userns_fd;
	pthread_mutex_unlock(&sb->lock);
	if (made >= 0)
		close(made);
	return 0;
}

/* Kept in the store as digest and program: building it takes longer than a short step. */
static int load_filter(struct sandbox *sb, const char *name, struct strbuf *out)
{
	AUTO(strbuf) kept = STRBUF_INIT;
	uint8_t sum[SHA256_SIZE];

	if (store_meta_get(sb->store, "seccomp", name, &kept, NULL) < 0 || kept.len <= SHA256_SIZE)
		return -1;
	sha256_buf(kept.buf + SHA256_SIZE, kept.len - SHA256_SIZE, sum);
	if (memcmp(sum, kept.buf, SHA256_SIZE) != 0)
		return -1;
	strbuf_add(out, kept.buf + SHA256_SIZE, kept.len - SHA256_SIZE);
	return 0;
}

static void keep_filter(struct sandbox *sb, const char *name, const struct strbuf *program)
{
	AUTO(strbuf) kept = STRBUF_INIT;
	uint8_t sum[SHA256_SIZE];

	sha256_buf(program->buf, program->len, sum);
	strbuf_add(&kept, sum, sizeof(sum));
	strbuf_add(&kept, program->buf, program->len);
	store_meta_put(sb->store, "seccomp", name, kept.buf, kept.len, NULL);
}

static int make_filter(struct sandbox *sb, enum seccomp_kind kind, struct strbuf *out,
		       struct error *err)
{
	char key[SHA256_HEX_SIZE], name[SHA256_HEX_SIZE + 16];

	seccomp_version_key(key);
	snprintf(name, sizeof(name), "%s-%d", key, (int)kind);
	if (load_filter(sb, name, out) == 0)
		return 0;
	if (seccomp_program(kind, out, err) < 0)
		return -1;
	keep_filter(sb, name, out);
	return 0;
}

static int add_filter(struct sandbox *sb, enum seccomp_kind kind, enum order_tag tag,
		      struct order_block *orders, struct error *err)
{
	struct strbuf *filter = &sb->filters[kind];
	int r = 0;

	pthread_mutex_lock(&sb->lock);
	if (filter->len == 0)
		r = make_filter(sb, kind, filter, err);
	pthread_mutex_unlock(&sb->lock);
	if (r == 0)
		order_bytes(orders, tag, filter->buf, filter->len);
	return r;
}

int sandbox_filter_orders(struct sandbox *sb, enum sandbox_mode mode, struct order_block *orders,
			  struct error *err)
{
	switch (mode) {
	case SANDBOX_CHROOT:
		if (add_filter(sb, SECCOMP_REAL, ORDER_PLAIN_FILTER, orders, err) < 0)
			return -1;
		return add_filter(sb, SECCOMP_PROC, ORDER_FILTER, orders, err);
	case SANDBOX_ROOTLESS_SINGLE:
		if (add_filter(sb, SECCOMP_PRETENDING, ORDER_PLAIN_FILTER, orders, err) < 0)
			return -1;
		return add_filter(sb, SECCOMP_OWNERS, ORDER_FILTER, orders, err);
	case SANDBOX_ROOT:
	case SANDBOX_ROOTLESS_SUBUID:
	case SANDBOX_NONE:
	default:
		return add_filter(sb, SECCOMP_REAL, ORDER_FILTER, orders, err);
	}
}

static void forget_ended(struct sandbox *sb, int flags)
{
	size_t kept = 0;

	for (size_t i = 0; i < sb->n_ending; i++) {
		pid_t r;

		while ((r = waitpid(sb->ending[i], NULL, flags)) < 0 && errno == EINTR)
			;
		if (r == 0)
			sb->ending[kept++] = sb->ending[i];
	}
	sb->n_ending = kept;
}

void sandbox_let_end(struct sandbox *sb, struct launch *l)
{
	pid_t pid = l->pid;

	if (pid <= 0)
		return;
	/* It ends by itself: the step is over and nothing is left in its namespace. */
	l->pid = -1;
	close(take_fd(l->first_fd));
	launch_release(l);
	pthread_mutex_lock(&sb->lock);
	forget_ended(sb, WNOHANG);
	GROW(sb->ending, sb->n_ending + 1, sb->cap_ending);
	sb->ending[sb->n_ending++] = pid;
	pthread_mutex_unlock(&sb->lock);
}

void sandbox_wait_ended(struct sandbox *sb)
{
	pthread_mutex_lock(&sb->lock);
	forget_ended(sb, 0);
	pthread_mutex_unlock(&sb->lock);
}

int sandbox_remove_tree(struct sandbox *sb, const char *path, struct error *err)
{
	AUTO(error) first = ERROR_INIT;
	enum sandbox_mode mode;

	/* Most of what is removed is ours. Only what is left over needs the user namespace. */
	if (work_remove(path, &first) == 0)
		return 0;
	mode = sandbox_mode(sb, NULL);
	if (!sandbox_has_userns(mode))
		return error_move(err, &first);
	return helper_remove(sb, mode, path, err);
}

void sandbox_probe_all(struct sandbox *sb, struct sandbox_probe probes[SANDBOX_NONE], size_t *n)
{
	for (size_t i = 0; i < SANDBOX_NONE; i++)
		probe_mode(sb, (enum sandbox_mode)i, &probes[i]);
	*n = SANDBOX_NONE;
}

void sandbox_probe_release(struct sandbox_probe *p)
{
	free(p->reason);
	free(p->storage_reason);
	free(p->remedy);
	memset(p, 0, sizeof(*p));
}
