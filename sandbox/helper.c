#include "sandbox/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "sandbox/helper_protocol.h"
#include "sandbox/mount_points.h"

#define CANCEL_TICK 100 /* ms */

/* Are the files of the mode this process's own? */
static bool is_here(enum sandbox_mode mode)
{
	return mode == SANDBOX_ROOT || mode == SANDBOX_CHROOT;
}

/* A process in the user namespace, asked one thing at a time. */
struct helper {
	struct helper *next; /* in the list of idle ones */
	struct launch launch;
	int fd;
};

static void helper_free(struct helper *h)
{
	if (!h)
		return;
	if (h->fd >= 0)
		close(h->fd);
	launch_release(&h->launch);
	free(h);
}
CLEANUP_FREE(helper)

void helpers_end(struct sandbox *sb)
{
	while (sb->helpers) {
		struct helper *h = sb->helpers;

		sb->helpers = h->next;
		/* It ends at the end of its input. */
		close(take_fd(h->fd));
		launch_end(&h->launch, NULL);
		helper_free(h);
	}
}

static int launch_helper(struct sandbox *sb, struct helper *h, int userns, int theirs,
			 struct error *err)
{
	const char *path = sb->helper_path ? sb->helper_path : "/proc/self/exe";
	AUTO(order_block) orders = ORDER_BLOCK_INIT;
	AUTO_FD int exe = open(path, O_PATH | O_CLOEXEC);
	int keep[] = {userns, exe, theirs};
	/* What goes wrong there without an answer, as when memory runs out, is for the user to read. */
	const struct launch_options o = {
		.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = 2, .keep_fds = keep, .n_keep_fds = 3};
	char number[16];

	if (exe < 0)
		return error_errno(err, "open %s", path);
	snprintf(number, sizeof(number), "%d", theirs);
	order_u32(&orders, ORDER_TASK, TASK_ENTER);
	order_u32(&orders, ORDER_USERNS_FD, (uint32_t)userns);
	order_u32(&orders, ORDER_EXEC_FD, (uint32_t)exe);
	order_str(&orders, ORDER_ARG, "slipway");
	order_str(&orders, ORDER_ARG, SANDBOX_HELPER_ARG);
	order_str(&orders, ORDER_ARG, number);
	order_strings(&orders, ORDER_ENV, sb->helper_env.items);
	return launch_init(&h->launch, sb, &orders, &o, err);
}

/* The control socket closes when the program became slipway, or tells why it did not. */
static int await_start(const struct helper *h, struct error *err)
{
	struct report r;
	int fd, got = launch_receive(h->launch.control_fd, true, &r, &fd);

	if (fd >= 0)
		close(fd);
	if (got > 0 && r.kind == REPORT_FAILED)
		return launch_failed(&r, err);
	return 0;
}

static struct helper *helper_new(struct sandbox *sb, enum sandbox_mode mode, struct error *err)
{
	AUTO_PTR(helper) h = xcalloc(1, sizeof(*h));
	int pair[2], userns, r;

	h->launch = (struct launch)LAUNCH_INIT;
	h->fd = -1;
	if (sandbox_userns(sb, mode, &userns, err) < 0)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		error_errno(err, "make a socket for the sandbox helper");
		return NULL;
	}
	h->fd = pair[0];
	r = launch_helper(sb, h, userns, pair[1], err);
	close(pair[1]);
	if (r < 0 || await_start(h, err) < 0) {
		error_wrap(err, "start the sandbox helper");
		return NULL;
	}
	return take_ptr(h);
}

static struct helper *take_idle(struct sandbox *sb)
{
	struct helper *h;

	pthread_mutex_lock(&sb->lock);
	h = sb->helpers;
	if (h)
		sb->helpers = h->next;
	pthread_mutex_unlock(&sb->lock);
	return h;
}

static void give_back(struct sandbox *sb, struct helper *h)
{
	pthread_mutex_lock(&sb->lock);
	h->next = sb->helpers;
	sb->helpers = h;
	pthread_mutex_unlock(&sb->lock);
}

/* 0 when an answer is there, or the helper's end; -1 when nobody waits for it any more. */
static int await_answer(const struct sandbox *sb, int fd, struct error *err)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int n = poll(&p, 1, sb->cancel ? CANCEL_TICK : -1);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_errno(err, "wait for the sandbox helper");
		if (cancel_check(sb->cancel, err) < 0)
			return -1;
	}
}

/* 1: answered, 0: the helper is gone and has done nothing for us that counts, -1: error. */
static int ask(struct sandbox *sb, struct helper *h, const json_t *request, json_t **answer,
	       struct error *err)
{
	if (frame_write(h->fd, request, NULL) < 0)
		return 0;
	if (await_answer(sb, h->fd, err) < 0)
		return -1;
	return frame_read(h->fd, answer, err);
}

static int check_answer(const json_t *answer, struct error *err)
{
	const json_t *failure = json_object_get(answer, "error");

	if (!failure)
		return 0;
	error_from_json(err, failure);
	return -1;
}

static int call(struct sandbox *sb, enum sandbox_mode mode, const json_t *request, json_t **answer,
		struct error *err)
{
	/* An idle helper may have died with the thread that started it; a new one has not. */
	for (;;) {
		struct helper *idle = take_idle(sb);
		AUTO_PTR(helper) h = idle ? idle : helper_new(sb, mode, err);
		AUTO_JSON *got = NULL;
		int r;

		if (!h)
			return -1;
		r = ask(sb, h, request, &got, err);
		if (r < 0)
			return -1;
		if (r == 0 && idle)
			continue;
		if (r == 0 && cancel_requested(sb->cancel))
			return cancel_check(sb->cancel, err);
		if (r == 0)
			return error_set(err, ERROR_SYSTEM,
					 "the sandbox helper ended without an answer");
		give_back(sb, take_ptr(h));
		if (check_answer(got, err) < 0)
			return -1;
		if (answer)
			*answer = take_ptr(got);
		return 0;
	}
}

static int set_path(json_t *request, const char *key, const char *path, struct error *err)
{
	json_t *text;

	if (!path)
		return 0;
	text = json_string(path);
	if (!text)
		return error_set(
			err, ERROR_UNSUPPORTED,
			"the path %s is not UTF-8: a rootless sandbox needs a state folder whose path is",
			path);
	json_object_set_new(request, key, text);
	return 0;
}

static int set_paths(json_t *request, const char *key, const struct strlist *paths,
		     struct error *err)
{
	AUTO_JSON *array = json_array();

	for (size_t i = 0; i < paths->n; i++) {
		json_t *text = json_string(paths->items[i]);

		if (!text)
			return error_set(
				err, ERROR_UNSUPPORTED,
				"the path %s is not UTF-8: a rootless sandbox needs mount points whose paths are",
				paths->items[i]);
		json_array_append_new(array, text);
	}
	json_object_set(request, key, array);
	return 0;
}

static int new_request(json_t **out, struct sandbox *sb, const char *op, enum sandbox_mode mode,
		       struct error *err)
{
	AUTO_JSON *request = json_object();

	json_object_set_new(request, "op", json_string(op));
	json_object_set_new(request, "mode", json_integer(mode));
	if (set_path(request, "root", store_root(sb->store), err) < 0)
		return -1;
	*out = take_ptr(request);
	return 0;
}

int helper_extract(struct sandbox *sb, struct tree_cache *cache, const struct extract_job *job,
		   struct error *err)
{
	AUTO_JSON *request = NULL;

	if (is_here(job->mode))
		return work_extract(sb->store, cache, job, err);
	if (new_request(&request, sb, "extract", job->mode, err) < 0 ||
	    set_path(request, "dir", job->dir, err) < 0)
		return -1;
	json_object_set_new(request, "layers", layers_to_json(job->layers, job->n));
	json_object_set_new(request, "flat", json_boolean(job->flat));
	json_object_set_new(request, "first", json_integer((json_int_t)job->first));
	return call(sb, job->mode, request, NULL, err);
}

static int read_layer(const json_t *answer, struct layer *out, struct strlist *notes,
		      struct error *err)
{
	static const char where[] = "answer of the sandbox helper";
	json_t *descriptor;
	const char *diff_id;

	if (json_get_object(answer, "descriptor", &descriptor, where, err) < 0 ||
	    json_get_string(answer, "diffId", &diff_id, where, err) < 0 ||
	    json_get_int(answer, "uncompressed", &out->uncompressed, where, err) < 0 ||
	    json_opt_strlist(answer, "notes", notes, where, err) < 0 ||
	    digest_parse(&out->diff_id, diff_id, err) < 0)
		return -1;
	return descriptor_from_json(&out->descriptor, descriptor, where, err);
}

int helper_commit(struct sandbox *sb, const struct commit_job *job, struct layer *out,
		  struct strlist *notes, struct error *err)
{
	AUTO(tree_cache) cache = {0};
	AUTO_JSON *request = NULL;
	AUTO_JSON *answer = NULL;
	const struct layer_options *o = job->options;

	if (is_here(job->mode))
		return work_commit(sb->store, &cache, job, out, notes, err);
	if (new_request(&request, sb, "commit", job->mode, err) < 0 ||
	    set_path(request, "upper", job->upper, err) < 0 ||
	    set_path(request, "lower", job->lower, err) < 0 ||
	    set_path(request, "record", job->record, err) < 0 ||
	    set_path(request, "owners", job->owners, err) < 0)
		return -1;
	if (job->pardoned && set_paths(request, "pardoned", job->pardoned, err) < 0)
		return -1;
	json_object_set_new(request, "layers", layers_to_json(job->layers, job->n));
	json_object_set_new(request, "compression", json_integer(o->compression));
	json_object_set_new(request, "level", json_integer(o->level));
	json_object_set_new(request, "mtimeLimit", json_integer(o->mtime_limit));
	json_object_set_new(request, "threads",
			    json_integer(o->pool ? (json_int_t)pool_threads(o->pool) : 0));
	if (call(sb, job->mode, request, &answer, err) < 0)
		return -1;
	return read_layer(answer, out, notes, err);
}

/* An operation on one or two paths. */
static int call_paths(struct sandbox *sb, enum sandbox_mode mode, const char *op, const char *path,
		      const char *other, struct error *err)
{
	AUTO_JSON *request = NULL;

	if (new_request(&request, sb, op, mode, err) < 0 ||
	    set_path(request, "path", path, err) < 0 || set_path(request, "other", other, err) < 0)
		return -1;
	return call(sb, mode, request, NULL, err);
}

int helper_take_metadata(struct sandbox *sb, enum sandbox_mode mode, const char *folder,
			 const char *like, struct error *err)
{
	if (is_here(mode))
		return work_take_metadata(folder, like, err);
	return call_paths(sb, mode, "metadata", folder, like, err);
}

int helper_record(struct sandbox *sb, enum sandbox_mode mode, const char *root, const char *file,
		  struct error *err)
{
	if (is_here(mode))
		return work_record(root, file, err);
	return call_paths(sb, mode, "record", root, file, err);
}

int helper_copy(struct sandbox *sb, enum sandbox_mode mode, const char *source, const char *subpath,
		const char *to, struct error *err)
{
	AUTO_JSON *request = NULL;

	if (is_here(mode))
		return work_copy(source, subpath, to, err);
	if (new_request(&request, sb, "copy", mode, err) < 0 ||
	    set_path(request, "path", source, err) < 0 ||
	    set_path(request, "subpath", subpath, err) < 0 ||
	    set_path(request, "other", to, err) < 0)
		return -1;
	return call(sb, mode, request, NULL, err);
}

int helper_remove_mount_points(struct sandbox *sb, enum sandbox_mode mode, const char *root,
			       const struct strlist *made, struct strlist *pardoned,
			       struct error *err)
{
	AUTO_JSON *request = NULL;
	AUTO_JSON *answer = NULL;

	if (is_here(mode))
		return mount_points_remove(root, made, pardoned, err);
	if (new_request(&request, sb, "removeMountPoints", mode, err) < 0 ||
	    set_path(request, "path", root, err) < 0 || set_paths(request, "made", made, err) < 0 ||
	    call(sb, mode, request, &answer, err) < 0)
		return -1;
	return json_opt_strlist(answer, "pardoned", pardoned, "answer of the sandbox helper", err);
}

int helper_rename(struct sandbox *sb, enum sandbox_mode mode, const char *from, const char *to,
		  struct error *err)
{
	if (is_here(mode))
		return work_rename(from, to, err);
	return call_paths(sb, mode, "rename", from, to, err);
}

int helper_remove(struct sandbox *sb, enum sandbox_mode mode, const char *path, struct error *err)
{
	if (is_here(mode))
		return work_remove(path, err);
	return call_paths(sb, mode, "remove", path, NULL, err);
}
